export const SHIPMENT_STATUSES = ['PENDING', 'PACKED', 'OUT_FOR_DELIVERY', 'DELIVERED'] as const
export type ShipmentStatus = (typeof SHIPMENT_STATUSES)[number]

/** What one seller sends of an order; born when the order is paid. */
export type Shipment = { sellerId: string; status: ShipmentStatus; createdAt: Date; updatedAt: Date }
export type UnpackedShipment = Shipment & { status: 'PENDING' }
/** Of a paid order: one for each of its sellers, by their ids. */
export type Shipments = readonly [Shipment, ...Shipment[]]

export const isUnpacked = (shipment: Shipment): shipment is UnpackedShipment => shipment.status === 'PENDING'

const stepOf = (status: ShipmentStatus): number => SHIPMENT_STATUSES.indexOf(status)

/** The one step that a shipment can take; none when it is delivered. */
export const nextStep = (status: ShipmentStatus): ShipmentStatus | undefined => SHIPMENT_STATUSES[stepOf(status) + 1]

/** A paid order is as far as its least advanced shipment. */
export function statusOf(shipments: Shipments): 'PAID' | Exclude<ShipmentStatus, 'PENDING'> {
  const least = Math.min(...shipments.map((shipment) => stepOf(shipment.status)))
  const status = SHIPMENT_STATUSES[least]
  return status === undefined || status === 'PENDING' ? 'PAID' : status
}
