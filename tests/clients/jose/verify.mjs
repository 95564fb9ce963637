// A relying party on jose: `node verify.mjs URL ISSUER AUDIENCE`. It keeps the JWKS as createRemoteJWKSet does by default.
import { createInterface } from 'node:readline'
import { createRemoteJWKSet, jwtVerify } from 'jose'

const [url, issuer, audience] = process.argv.slice(2)
const keys = createRemoteJWKSet(new URL(url))

for await (const token of createInterface({ input: process.stdin })) {
  try {
    await jwtVerify(token, keys, { issuer, audience, algorithms: ['RS256', 'ES256'], requiredClaims: ['exp'] })
    console.log('ok')
  } catch (error) {
    console.log(error.code ?? error.name)
  }
}
