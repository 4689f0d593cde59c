// Requests that only a bare socket sends. Text is Latin-1: a character is a byte.

export type Probe = { what: string; bytes: string }
/** Has to be refused before a service sees anything of it, by one answer, after which the connection is closed. */
export type Refusal = Probe & { status: number; code: string; instance: string }
/** May be served or refused, as long as no more answers come than requests were sent, and no fault among them. */
export type Curiosity = Probe & { most: number }

export type Targets = {
  /** Path of a GET that anybody may call. */
  read: string
  /** Path of a POST. */
  write: string
  /** A whole request that would do something if it were taken for one. */
  smuggled: string
}

const HEAD = 'Host: shop.example\r\nConnection: close\r\n'
const CODES: Record<number, string> = {
  400: 'bad-request',
  405: 'method-not-allowed',
  413: 'content-too-large',
  414: 'uri-too-long',
  501: 'not-implemented',
}

export function refusals({ read, write, smuggled }: Targets): Refusal[] {
  const get = (path: string) => `GET ${path} HTTP/1.1\r\n${HEAD}\r\n`
  const post = (headers: string, body = '') => `POST ${write} HTTP/1.1\r\n${HEAD}${headers}\r\n${body}`
  const chunked = (body: string) => post('Transfer-Encoding: chunked\r\n', body)
  const refused =
    (status: number) =>
    ([what, bytes, instance = write]: readonly [what: string, bytes: string, instance?: string]): Refusal => ({
      ...{ what, bytes, status, instance },
      code: CODES[status] ?? '',
    })

  return [
    ...(
      [
        // RFC 9112 6.3: framing that two servers could read differently
        [
          'Content-Length with Transfer-Encoding',
          post('Content-Length: 4\r\nTransfer-Encoding: chunked\r\n', `0\r\n\r\n${smuggled}`),
        ],
        [
          'Transfer-Encoding with Content-Length',
          post(
            `Transfer-Encoding: chunked\r\nContent-Length: 4\r\n`,
            `${smuggled.length.toString(16)}\r\n${smuggled}\r\n0\r\n\r\n`,
          ),
        ],
        ['two Content-Lengths', post(`Content-Length: 0\r\nContent-Length: ${smuggled.length}\r\n`, smuggled)],
        ['the same Content-Length twice', post('Content-Length: 3\r\nContent-Length: 3\r\n', `abc${smuggled}`)],
        ['a negative Content-Length', post('Content-Length: -1\r\n', smuggled)],
        ['a Content-Length with a plus', post('Content-Length: +0\r\n', smuggled)],
        ['a Content-Length in hexadecimal', post('Content-Length: 0x0\r\n', smuggled)],
        ['a Content-Length with a list', post('Content-Length: 3, 3\r\n', 'abc')],
        ['a Content-Length that is empty', post('Content-Length:\r\n', smuggled)],
        ['a Content-Length that overflows', post('Content-Length: 18446744073709551616\r\n', smuggled)],
        [
          'two Transfer-Encodings',
          post('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n', `0\r\n\r\n${smuggled}`),
        ],
        [
          'two different Transfer-Encodings',
          post('Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n', `0\r\n\r\n${smuggled}`),
        ],
        [
          'Transfer-Encoding in HTTP/1.0',
          `POST ${write} HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`,
        ],
        [
          'a space before the colon of Transfer-Encoding',
          post('Transfer-Encoding : chunked\r\n', `0\r\n\r\n${smuggled}`),
        ],
        ['a folded Transfer-Encoding', post('Transfer-Encoding:\r\n chunked\r\n', `0\r\n\r\n${smuggled}`)],
        ['a NUL in a Transfer-Encoding', post('Transfer-Encoding: chunked\0\r\n', `0\r\n\r\n${smuggled}`)],
        ['a chunk size that is no number', chunked('ZZ\r\n')],
        ['a chunk size that is negative', chunked(`-1\r\n${smuggled}`)],
        ['a chunk size with 0x', chunked(`0x0\r\n\r\n${smuggled}`)],
        ['a chunk size that overflows', chunked(`ffffffffffffffff1\r\n${smuggled}`)],
        ['a chunk that is longer than its size', chunked(`1\r\nabc\r\n0\r\n\r\n${smuggled}`)],
        // RFC 9112 5: header lines
        ['a space before the colon', post('X-User-Id : 1\r\n')],
        ['a folded header line', post('X-A: 1\r\n X-User-Id: 2\r\n')],
        ['a header line that begins with a space', `GET ${write} HTTP/1.1\r\n X-User-Id: 1\r\n${HEAD}\r\n`],
        ['a header without a name', post(': 1\r\n')],
        ['a bare CR', post('X-A: 1\rX-User-Id: 2\r\n')],
        ['a NUL in a header', post('X-A: a\0b\r\n')],
        ['a NUL in the name of a header', post('X-\0A: a\r\n')],
        ['no Host', `GET ${write} HTTP/1.1\r\nConnection: close\r\n\r\n`],
        ['two Hosts', `GET ${write} HTTP/1.1\r\nHost: other.example\r\n${HEAD}\r\n`],
        ['a Host with a path', `GET ${write} HTTP/1.1\r\nHost: a/../b\r\n\r\n`],
        ['one header that is too large', post(`X-A: ${'a'.repeat(9_000)}\r\n`)],
        [
          'headers that are too large together',
          post(Array.from({ length: 20 }, (_, i) => `X-${i}: ${'a'.repeat(1_000)}\r\n`).join('')),
        ],
        // the request line
        ['a method in lower case', `get ${write} HTTP/1.1\r\n${HEAD}\r\n`, '/'],
        ['a method with a NUL', `GET\0 ${write} HTTP/1.1\r\n${HEAD}\r\n`, '/'],
        ['an asterisk', `OPTIONS * HTTP/1.1\r\n${HEAD}\r\n`, '/'],
        ['CONNECT to another host', `CONNECT other.example:443 HTTP/1.1\r\n${HEAD}\r\n`, '/'],
        ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', '/'],
        ['HTTP/3', `GET ${write} HTTP/3.0\r\n${HEAD}\r\n`, '/'],
        ['a version that is none', `GET ${write} HTTP/x\r\n${HEAD}\r\n`, '/'],
        ['a TLS handshake', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', '/'],
        ['a space in the path', get(`${read}/a b`), '/'],
        ['a control character in the path', get(`${read}/a\x01b`), '/'],
        ['a path without a slash', get(read.slice(1)), '/'],
        // paths that nginx and a service could read differently
        ['a dot segment', get(`${read}/../users/token`), `${read}/../users/token`],
        ['a single dot segment', get(`${read}/./x`), `${read}/./x`],
        ['a dot segment at the end', get(`${read}/..`), `${read}/..`],
        ['a dot segment before the query', get(`${read}/..?a=1`), `${read}/..`],
        ['dot segments that leave the root', get('/../../etc/passwd'), '/'],
        ['encoded dots', get(`${read}/%2e%2E/users`), `${read}/%2e%2E/users`],
        ['dots that are too long in UTF-8', get(`${read}/%c0%ae%c0%ae/%2e`), `${read}/%c0%ae%c0%ae/%2e`],
        ['an encoded slash', get(`${read}/a%2f..%2Fetc`), `${read}/a%2f..%2Fetc`],
        ['an encoded backslash', get(`${read}/..%5cetc`), `${read}/..%5cetc`],
        ['an encoded NUL', get(`${read}/%00`), '/'],
        ['an encoded line feed', get(`${read}%0a`), `${read}%0a`],
        [
          'an encoded slash, with a body that is too large',
          `POST ${read}%2f HTTP/1.1\r\n${HEAD}Content-Length: 999999999999\r\n\r\n`,
          `${read}%2f`,
        ],
        ['an encoded DEL', get(`${read}%7F`), `${read}%7F`],
        ['a malformed escape', get(`${read}/%zz`), '/'],
        ['a cut escape', get(`${read}/%4`), '/'],
        ['a fragment', get(`${read}/a#x`), `${read}/a`],
        ['a backslash', get(`${read}\\token`), read],
        ['a quote, which would end a JSON string', get(`${read}/a"b`), `${read}/a`],
        ['markup', get(`${read}/<script>alert(1)</script>`), `${read}/`],
        ['raw UTF-8', get(`${read}/\xc3\xa9`), `${read}/`],
        ['raw UTF-8 in the query', get(`${read}?q=\xc3\xa9`), read],
        ['another host in the path', get('//evil.example/%2e%2e'), '/'],
        ['a hidden way to the error page', get(`${read}/"/../../_problem"`), `${read}/`],
      ] as const
    ).map(refused(400)),
    ...(
      [
        ['TRACE', `TRACE ${write} HTTP/1.1\r\n${HEAD}\r\n`],
        ['CONNECT with a path', `CONNECT ${write} HTTP/1.1\r\n${HEAD}\r\n`],
        ['a method of WebDAV', `PROPFIND ${write} HTTP/1.1\r\n${HEAD}\r\n`],
        ['a method that nobody has', `BREW ${write} HTTP/1.1\r\n${HEAD}\r\n`],
        [
          'TRACE with a body that is too large',
          `TRACE ${write} HTTP/1.1\r\n${HEAD}Content-Length: 999999999999\r\n\r\n`,
        ],
        ['a method of 500 letters', `${'A'.repeat(500)} ${write} HTTP/1.1\r\n${HEAD}\r\n`],
      ] as const
    ).map(refused(405)),
    refused(413)(['a Content-Length that no body has', post('Content-Length: 999999999999\r\n')]),
    refused(414)(['a request line that is too long', get(`${read}/${'a'.repeat(7_000)}`), '/']),
    ...[
      'gzip, chunked',
      'xchunked',
      'identity',
      'chunked, identity',
      '\x0bchunked',
      '"chunked"',
      'chunked;q=1',
      'chunked, chunked',
    ].map((coding) =>
      refused(501)([`Transfer-Encoding: ${coding}`, post(`Transfer-Encoding: ${coding}\r\n`, `0\r\n\r\n${smuggled}`)]),
    ),
  ]
}

/** What servers read in different ways, all of which may be right. */
export function curiosities({ read, write, smuggled }: Targets): Curiosity[] {
  const get = (path: string, headers = '') => `GET ${path} HTTP/1.1\r\n${HEAD}${headers}\r\n`
  const post = (headers: string, body = '') => `POST ${write} HTTP/1.1\r\n${HEAD}${headers}\r\n${body}`
  const open = `GET ${read} HTTP/1.1\r\nHost: a\r\n\r\n`
  const length = `Content-Length: ${smuggled.length}\r\n`
  const chunks = `${smuggled.length.toString(16)}\r\n${smuggled}\r\n`
  const once: [what: string, bytes: string][] = [
    ['a request in the body of a POST', post(length, smuggled)],
    ['a request in the body of a GET', get(read, length) + smuggled],
    ['a request in the body of a HEAD', `HEAD ${read} HTTP/1.1\r\n${HEAD}${length}\r\n${smuggled}`],
    ['a request in a chunk', post('Transfer-Encoding: chunked\r\n', `${chunks}0\r\n\r\n`)],
    ['a request after the last one of a connection', get(read) + smuggled],
    [
      'a request after an upgrade',
      get(read, 'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: AAAA\r\n') + smuggled,
    ],
    ['Transfer-Encoding in capitals', post('TRANSFER-ENCODING: CHUNKED\r\n', `${chunks}0\r\n\r\n`)],
    ['Transfer-Encoding behind a tab', post('Transfer-Encoding:\tchunked\r\n', `${chunks}0\r\n\r\n`)],
    ['a chunk size with zeros', post('Transfer-Encoding: chunked\r\n', `0000000${chunks}0\r\n\r\n`)],
    [
      'a chunk extension',
      post('Transfer-Encoding: chunked\r\n', `${chunks.replace('\r\n', ';a="b\n";c\r\n')}0;x\r\n\r\n`),
    ],
    [
      'chunk lines that end in a bare LF',
      post('Transfer-Encoding: chunked\r\n', `${chunks.replaceAll('\r\n', '\n')}0\n\n`),
    ],
    [
      'trailers',
      post(
        'Transfer-Encoding: chunked\r\nTrailer: Authorization\r\n',
        `${chunks}0\r\nAuthorization: Bearer x\r\nContent-Length: 5\r\nX-User-Id: 1\r\n\r\n`,
      ),
    ],
    ['a chunk size that no body has', post('Transfer-Encoding: chunked\r\n', 'ffffffff\r\n')],
    ['trailers without an end', post('Transfer-Encoding: chunked\r\n', `${chunks}0\r\nX-A: ${'a'.repeat(300_000)}`)],
    ['lines that end in a bare LF', `GET ${read} HTTP/1.1\nHost: a\nConnection: close\n\n`],
    ['HTTP/1.0', `GET ${read} HTTP/1.0\r\n\r\n`],
    ['HTTP/1.0 that keeps the connection', `GET ${read} HTTP/1.0\r\nConnection: keep-alive\r\n\r\n`],
    ['HTTP/1.9', `GET ${read} HTTP/1.9\r\n${HEAD}\r\n`],
    ['an absolute URL', get(`http://shop.example${read}`)],
    ['an absolute URL of another host', get(`http://evil.example${read}`)],
    ['an absolute URL with a user', get(`http://user:secret@shop.example${read}`)],
    ['an absolute URL without a path', get('http://shop.example')],
    ['an absolute URL of another scheme', get(`gopher://shop.example${read}`)],
    [
      'an upgrade to h2c',
      get(read, 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n'),
    ],
    ['Connection that names headers', get(read, 'Connection: close, X-Request-Id, Authorization, X-Forwarded-For\r\n')],
    ['Expect: 100-continue', post(`Expect: 100-continue\r\n${length}`, smuggled)],
    ['Expect: something else', post(`Expect: the-unexpected\r\n${length}`, smuggled)],
    ['two slashes', get(`/${read}`)],
    ['a semicolon', get(`${read};a=b`)],
    ['an encoded question mark', get(`${read}%3fa=b`)],
    ['an encoded letter', get(read.replace(/(.)$/, (letter) => `%${letter.charCodeAt(0).toString(16)}`))],
    ['invalid UTF-8, encoded', get(`${read}/%ff%fe?a=%ff`)],
    ['UTF-16, encoded', get(`${read}/%u0041`)],
    ['a thousand parameters', get(`${read}?${'a=b&'.repeat(1_000)}`)],
    ['a hundred headers', get(read, Array.from({ length: 100 }, (_, i) => `X-A${i}: b\r\n`).join(''))],
    ['a header name of 3000 letters', get(read, `${'X'.repeat(3_000)}: a\r\n`)],
    ['a header name with an underscore', get(read, 'X_User_Id: 1\r\nContent_Length: 5\r\n')],
    ['a header name beyond ASCII', get(read, 'X-\xe9: a\r\n')],
    ['a header with DEL', get(read, 'X-A: a\x7fb\r\n')],
    ['a header line without a colon', get(read, 'X-User-Id\r\n')],
    ['two X-Request-Ids', get(read, 'X-Request-Id: aaaaaaaaaa\r\nX-Request-Id: bbbbbbbbbb\r\n')],
    ['an X-Request-Id with a quote', get(read, 'X-Request-Id: aaaaaaaa"bb\r\n')],
    ['an empty Host', `GET ${read} HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n`],
    ['a Host with markup', `GET ${read} HTTP/1.1\r\nHost: <script>\r\nConnection: close\r\n\r\n`],
    ['a Host with a port that is none', `GET ${read} HTTP/1.1\r\nHost: a:99999\r\nConnection: close\r\n\r\n`],
    ['a Host with half an IPv6 address', `GET ${read} HTTP/1.1\r\nHost: [::1\r\nConnection: close\r\n\r\n`],
    ['a body that ends too soon', post('Content-Length: 10\r\n', 'abc')],
    ['nothing but line ends', '\r\n\r\n\r\n'],
    ['a line end before the request', `\r\n${get(read)}`],
    ['an answer', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'],
    ['another protocol', 'EHLO mail.example\r\n'],
    ['bytes', Array.from({ length: 2_000 }, (_, i) => String.fromCharCode((i * 7919) % 256)).join('')],
  ]
  return [
    ...once.map(([what, bytes]) => ({ what, bytes, most: 1 })),
    { what: 'fifty requests at once', bytes: open.repeat(49) + get(read), most: 50 },
    {
      what: 'a malformed request between others',
      bytes: `${open}GET ${read} HTTP/1.1\r\nHost : a\r\n\r\n${smuggled}`,
      most: 2,
    },
    { what: 'a request after a whole one', bytes: open + get(`${read}/no/such/path`), most: 2 },
  ]
}
