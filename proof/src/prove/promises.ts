import type { ShopPromise } from './promise'
import { allOrNothing, allOrNothingInARace, summedLines } from './promises/all-or-nothing'
import { books } from './promises/books'
import { cancelAgainstOrders, cancelOnce } from './promises/cancelling'
import { checkoutOnce, lastUnitInCarts } from './promises/carts'
import { conditionalEdits, conditionalReads } from './promises/conditional'
import { crossedOrders } from './promises/crossed-orders'
import { cutConnections, keysOfCallers, oneKeyAtOnce, repeats } from './promises/idempotency'
import { buyersApart, forgedTokens, sellersApart } from './promises/isolation'
import { lastUnit, manyProducts, severalUnits } from './promises/last-unit'
import { listsUnderWrites } from './promises/lists'
import { declinedCards, payOnce, refundOnce } from './promises/paying'
import { priceChanges, stockDeltas } from './promises/selling'
import { salesSummary, shipmentSteps } from './promises/shipping'

/** What is looked at, in this order. */
export const PROMISES: readonly ShopPromise[] = [
  ...[lastUnit, severalUnits, manyProducts],
  ...[allOrNothing, allOrNothingInARace, summedLines, crossedOrders],
  ...[cancelOnce, cancelAgainstOrders, stockDeltas, priceChanges],
  ...[checkoutOnce, lastUnitInCarts],
  ...[payOnce, declinedCards, refundOnce, shipmentSteps, salesSummary],
  ...[oneKeyAtOnce, repeats, keysOfCallers, cutConnections],
  ...[buyersApart, sellersApart, forgedTokens],
  ...[listsUnderWrites, conditionalReads, conditionalEdits],
  books, // last: over all that the others have done
]
