import { memoryPaymentGateway, type MemoryPayment } from '../src/adapters/memory/payment-gateway'
import { paymentGatewayContract } from './payment-gateway.contract'

paymentGatewayContract('memory', () => {
  const books = new Map<string, MemoryPayment>()
  return Promise.resolve({
    gateway: memoryPaymentGateway(books),
    payments: (reference) =>
      Promise.resolve(
        [...books].flatMap(([paymentId, { charge, status, refunds }]) =>
          charge?.reference === reference
            ? [{ paymentId, amountCents: charge.amountCents, status, refunded: refunds === 1 }]
            : [],
        ),
      ),
  })
})
