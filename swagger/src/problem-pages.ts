import { type Request, type RequestHandler } from 'express'
import { constant, pagePolicy } from '@shop/platform/docs'
import type { Meaning } from './documents'

const escaped = (text: string) => text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)

/** The descriptions are Markdown, of which they use code spans alone. */
const rendered = (markdown: string) => escaped(markdown).replace(/`([^`]+)`/g, '<code>$1</code>')

const page = (title: string, body: string) => `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <title>${escaped(title)} – Shop API</title>
    <link rel="icon" type="image/png" sizes="32x32" href="/docs/favicon-32x32.png" />
    <link rel="stylesheet" href="/problems/pages.css" />
  </head>
  <body>
    <nav><a href="/docs/">Shop API</a> · <a href="/problems/">Problems</a></nav>
    <main>${body}</main>
  </body>
</html>
`

/** HTML for people, JSON for whoever prefers it. */
function negotiated(html: string, json: object): RequestHandler[] {
  const asHtml = constant('text/html', html)
  const asJson = constant('application/json', JSON.stringify(json))
  const prefersJson = (request: Request) => request.accepts(['html', 'json']) === 'json'
  return [
    pagePolicy,
    (request, response, next) => {
      response.vary('Accept')
      return (prefersJson(request) ? asJson : asHtml)(request, response, next)
    },
  ]
}

const told = (code: string, meaning: Meaning) => ({ type: `/problems/${code}`, code, ...meaning })

/** The page behind the `type` of a problem. */
export function problemPage(code: string, meaning: Meaning): RequestHandler[] {
  const { status, title, description } = meaning
  const body = `
      <p class="status">${status}</p>
      <h1>${escaped(title)}</h1>
      <p>${rendered(description)}</p>
      <p class="code">code: <code>${escaped(code)}</code></p>`
  return negotiated(page(title, body), told(code, meaning))
}

/** The list of all codes, by status. */
export function problemIndex(problems: ReadonlyMap<string, Meaning>): RequestHandler[] {
  const sorted = [...problems].sort(
    ([a, { status: first }], [b, { status: second }]) => first - second || a.localeCompare(b),
  )
  const rows = sorted.map(
    ([code, { status, title }]) => `
        <tr><td>${status}</td><td><a href="/problems/${escaped(code)}"><code>${escaped(code)}</code></a></td><td>${escaped(title)}</td></tr>`,
  )
  const body = `
      <h1>Problems</h1>
      <p>Every refusal is <code>application/problem+json</code> (RFC 9457). Programs decide by its <code>code</code>.</p>
      <table>
        <thead><tr><th>Status</th><th>Code</th><th>Title</th></tr></thead>
        <tbody>${rows.join('')}
        </tbody>
      </table>`
  return negotiated(page('Problems', body), { items: sorted.map(([code, meaning]) => told(code, meaning)) })
}

export const PAGES_STYLE = `body {
  margin: 0;
  background: #fafafa;
  color: #22313f;
  font: 16px/1.5 system-ui, sans-serif;
}
nav {
  padding: 12px 24px;
  background: #16324f;
  color: #fff;
}
nav a {
  color: #fff;
}
main {
  max-width: 46rem;
  margin: 32px auto;
  padding: 0 24px;
}
h1 {
  margin: 0 0 16px;
}
.status {
  margin: 0;
  color: #9b2c2c;
  font-size: 1.25rem;
  font-weight: 600;
}
.code {
  color: #5a6b7b;
}
code {
  padding: 1px 4px;
  border-radius: 3px;
  background: #e8edf2;
}
table {
  width: 100%;
  border-collapse: collapse;
}
th,
td {
  padding: 6px 12px 6px 0;
  border-bottom: 1px solid #d9e1e8;
  text-align: left;
}
`
