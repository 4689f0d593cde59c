/** What is wrong with an answer. `kind` is the same for what is the same fault. */
export type Complaint = { kind: string; detail: string }

export type Finding = Complaint & {
  operation: string
  /** How often it was seen; the request is the smallest that was found to show it. */
  times: number
  /** Whether it was seen again when the request was sent alone. */
  again: boolean
  curl: string
}
export type Row = {
  operation: string
  cases: number
  statuses: Map<number, number>
  /** Refused calls that were sent again, to see whether they change anything. */
  replayed: number
  findings: Finding[]
}
