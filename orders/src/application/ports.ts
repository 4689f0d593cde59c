import type { Cart } from '../domain/cart'
import type { Order, RequestedLine, Sale } from '../domain/order'
import type { Result } from '../domain/result'
import type { TrackingEntry } from '../domain/tracking'
import type { OrderChange, PaymentStarted } from '../domain/transitions'

export type Clock = () => Date

/** An id that stands where its time does among all others. */
export type NewId = (time: Date) => string

export type ProductUnavailable = { code: 'product-unavailable'; productIds: string[] }
export type Shortage = { productId: string; requested: number; available: number }
export type InsufficientStock = { code: 'insufficient-stock'; shortages: Shortage[] }
export type CartEmpty = { code: 'cart-empty' }
/** A cart has as many lines as an order may have. */
export type CartFull = { code: 'cart-full' }
export type OrderNotFound = { code: 'order-not-found' }
export type KeyRefusal = { code: 'idempotency-key-reused' } | { code: 'request-in-progress' }

/** What a caller was told of an order, kept to be told again byte for byte. */
export type Receipt = { status: number; location: string | null; etag: string | null; body: string }

/** The right to have one request done at most once; `receipt` is kept with the order in one transaction. */
export type Once = {
  callerId: string
  route: string
  key: string
  fingerprint: string
  receipt: (order: Order) => Receipt
}

/** The same right where the effect takes more than one transaction: until the last of them there is no receipt. */
export type KeyClaim = Omit<Once, 'receipt'>

/** An order to be recorded, stock taken with it. */
export type Placement = {
  id: string
  buyerId: string
  /** Naming each product once, or else what is in the buyer's cart, which the order then leaves empty. */
  lines: readonly RequestedLine[] | 'cart'
  currency: string
  shippingAddress: string | null
  notes: string | null
  placedAt: Date
  once: Once | undefined
}

/** A repeat is answered with the receipt of the first call and places nothing. */
export type Placed =
  { repeated: false; order: Order; receipt: Receipt | undefined } | { repeated: true; receipt: Receipt }

/** `cart-empty` only when the cart was to be placed. */
export type PlacementRefusal = ProductUnavailable | InsufficientStock | KeyRefusal | CartEmpty

export type Begun = { repeated: false; order: Order } | { repeated: true; receipt: Receipt }

export type OrderQuery = {
  /** Everybody's when undefined. */
  buyerId: string | undefined
  status: Order['status'] | undefined
  /** Id of the last order of the page before. */
  after: string | undefined
  limit: number
}

export type SalesQuery = {
  sellerId: string
  status: Order['status'] | undefined
  /** Id of the last order of the page before. */
  after: string | undefined
  limit: number
}

export type TrackingQuery = {
  orderId: string
  /** Whose shipment's entries are wanted beside those of the order; all shipments' when undefined. */
  sellerId: string | undefined
  /** `no` of the last entry of the page before. */
  after: number | undefined
  limit: number
}

/** `no` counts an order's entries from 0, in the order of time. */
export type NumberedEntry = TrackingEntry & { no: number }

export type SummaryQuery = {
  sellerId: string
  /** First and last UTC day, `YYYY-MM-DD`; open when undefined. */
  from: string | undefined
  to: string | undefined
  /** Day and product of the last row of the page before. */
  after: { day: string; productId: string } | undefined
  limit: number
}

/** What a seller sold of a product in the orders that were paid on a UTC day; the name is that of the last of them. */
export type ProductDay = {
  day: string
  productId: string
  name: string
  /** Units and revenue of those that stand. */
  units: number
  revenueCents: number
  /** Units of those that were cancelled after they were paid. */
  cancelledUnits: number
}

/** An order of which something is still to come, and the moment from which on it was. */
export type OpenOrder = { orderId: string; since: Date }
export type OpenPayment = OpenOrder & { paymentId: string }

/** What has been open since `until` or longer, the oldest first. */
export type OpenQuery = {
  until: Date
  /** The last one of the page before. */
  after: OpenOrder | undefined
  limit: number
}

/** Keeps orders together with the stock that they take. */
export type OrderStore = {
  /**
   * Records the order and takes its stock, atomically, or refuses and changes nothing. Price, name and seller are those of
   * the same transaction. An unavailable product is reported before a shortage, and every short line is. A cart that is placed
   * loses its lines in that transaction: two placements never get the same ones, and a refused one leaves them where they are.
   */
  place: (placement: Placement) => Promise<Result<Placed, PlacementRefusal>>

  /**
   * Applies `decide` to the order as it is now and keeps what it returns, stock included, in one transaction: two callers never
   * decide from the same version. `actorId` answers for the stock that goes back; null is the shop, which finishes what was begun:
   * an outage then leaves the outcome open. Returning the order itself keeps it untouched. When the change settles the payment that `begin` kept with a key, `receipt` is what its repeats get; the
   * key is free again where there is none.
   */
  update: <E>(
    id: string,
    actorId: string | null,
    decide: (order: Order) => Result<OrderChange, E>,
    receipt?: (order: Order) => Receipt | undefined,
  ) => Promise<Result<Order, E | OrderNotFound>>

  /**
   * Starts a payment, which an `update` settles: claims the key, applies `decide` and keeps the attempt and the key together. Until
   * it is settled the key is in progress for everybody. A repeat of what is settled gets its receipt and starts nothing.
   */
  begin: <E>(
    id: string,
    once: KeyClaim | undefined,
    decide: (order: Order) => Result<PaymentStarted, E>,
  ) => Promise<Result<Begun, E | OrderNotFound | KeyRefusal>>

  /**
   * `update` by the shop, without a wait: undefined when somebody holds the order at this moment, or when there is none. So any
   * number of callers share the work on a list of orders.
   */
  updateIfFree: <E>(
    id: string,
    decide: (order: Order) => Result<OrderChange, E>,
  ) => Promise<Result<Order | undefined, E>>

  find: (id: string) => Promise<Order | undefined>

  /** Newest first. */
  list: (query: OrderQuery) => Promise<Order[]>

  /** Orders with a line of the seller's, newest first. */
  sales: (query: SalesQuery) => Promise<Sale[]>

  /** By day and product. */
  salesSummary: (query: SummaryQuery) => Promise<ProductDay[]>

  /** Oldest first; that the order was placed is the first entry. Nothing of an unknown order. */
  tracking: (query: TrackingQuery) => Promise<NumberedEntry[]>

  /** Orders that were placed, and neither paid nor cancelled. */
  unpaidOrders: (query: OpenQuery) => Promise<OpenOrder[]>

  /** Charges whose outcome is not known. */
  pendingPayments: (query: OpenQuery) => Promise<OpenPayment[]>

  /** Refunds that the gateway has not confirmed. */
  pendingRefunds: (query: OpenQuery) => Promise<OpenPayment[]>
}

/** Of a card, on its way to the gateway; kept nowhere and logged nowhere. Digits only, and checked before. */
export type CardDetails = { number: string; expMonth: number; expYear: number; cvc: string }

export type ChargeRequest = {
  /** Made by us, one an attempt to pay: what makes the call repeatable. */
  paymentId: string
  /** The id of the order, for the gateway's books. */
  reference: string
  amountCents: number
  currency: string
  card: CardDetails
}

/**
 * `UNAVAILABLE`: nothing was charged under this payment id, and nothing will be. `UNKNOWN`: the answer was lost or came too
 * late; the charge may have been made, or be made still, until `settle` says otherwise.
 */
export type ChargeOutcome =
  | { outcome: 'SUCCEEDED' }
  | { outcome: 'DECLINED'; reason: string }
  | { outcome: 'UNAVAILABLE' }
  | { outcome: 'UNKNOWN' }

/**
 * Takes and gives back money, each at most once a payment id, however often it is asked. Every call ends within 5 s. Raises when
 * it is asked for what can't be: another charge under a known id, a refund of what was never charged.
 */
export type PaymentGateway = {
  charge: (request: ChargeRequest) => Promise<ChargeOutcome>

  /**
   * What came of a charge, for good: an id under which nothing was charged is closed, so that a charge which is still on its
   * way is refused when it arrives.
   */
  settle: (paymentId: string) => Promise<'SUCCEEDED' | 'DECLINED' | 'NOT_CHARGED' | 'UNKNOWN'>

  /** Of a charge that succeeded. */
  refund: (paymentId: string) => Promise<'REFUNDED' | 'UNKNOWN'>
}

/** Keeps a cart for each buyer; whoever has put nothing into it has an empty one. Changes of one cart never overtake each other. */
export type CartStore = {
  /** At the prices and with the stock of this moment. */
  read: (buyerId: string) => Promise<Cart>

  /** Sets the quantity of a product, as a new line or in place of the old one, at the price of this moment, and answers the cart. */
  put: (buyerId: string, line: RequestedLine) => Promise<Result<Cart, ProductUnavailable | CartFull>>

  /** Repeatable: what is not there need not be taken out. */
  remove: (buyerId: string, productId: string) => Promise<void>
  clear: (buyerId: string) => Promise<void>
}
