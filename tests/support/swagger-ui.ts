import type { Locator, Page } from 'playwright-core'

// What a person does on the page of Swagger UI.

/** Waits until the document with this title is shown, its operations included. */
export async function shown(page: Page, title: string): Promise<void> {
  await page.locator('.information-container .title', { hasText: title }).waitFor()
  await page.locator('.opblock').first().waitFor()
}

export const pick = (page: Page, document: string) => page.locator('.topbar select').selectOption(document)

/** Logs in by the Authorize dialog, or out of it first. */
export async function authorize(page: Page, username: string, password: string): Promise<void> {
  await page.getByRole('button', { name: 'Authorize' }).first().click()
  const dialog = page.locator('.auth-container')
  await dialog.locator('#oauth_username, .auth-btn-wrapper').first().waitFor()
  const logout = dialog.getByRole('button', { name: 'Remove authorization' })
  if (await logout.isVisible()) await logout.click()
  await dialog.locator('#oauth_username').fill(username)
  await dialog.locator('#oauth_password').fill(password)
  await dialog.getByRole('button', { name: 'Apply given OAuth2 credentials' }).click()
  await logout.waitFor()
  await page.getByRole('button', { name: 'Close' }).click()
}

export const operationOf = (page: Page, operationId: string): Locator => page.locator(`.opblock[id$="-${operationId}"]`)

/** Folds an operation again: each open one makes the page slower. */
export const close = (page: Page, operationId: string) =>
  operationOf(page, operationId).locator('.opblock-summary-control').first().click()

/** Opens an operation and executes it as it is, nothing typed; answers the status and the body that the page shows. */
export async function execute(page: Page, operationId: string): Promise<{ status: string; body: string }> {
  const operation = operationOf(page, operationId)
  const button = operation.locator('.execute-wrapper .execute, .btn-group .execute')
  if (!(await button.isVisible())) await operation.locator('.opblock-summary-control').first().click()
  await button.click()
  const answer = operation.locator('.live-responses-table .response').first()
  await answer.waitFor()
  const status = (await answer.locator('.response-col_status').innerText()).trim()
  if (status === '204') return { status, body: '' }
  const body = await answer.locator('.response-col_description .highlight-code code').first().textContent()
  return { status, body: body ?? '' }
}
