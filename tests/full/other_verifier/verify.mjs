// Usage: node verify.mjs TRUST SIGNER BUNDLE...   Prints for each bundle, in order, null or why it is refused.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'

const require = createRequire(join(process.cwd(), 'package.json')) // the packages are where it is run
const { bundleFromJSON } = require('@sigstore/bundle')
const { TrustedRoot } = require('@sigstore/protobuf-specs')
const { Verifier, toSignedEntity, toTrustMaterial } = require('@sigstore/verify')

const [trust, signer, ...bundles] = process.argv.slice(2)
const json = path => JSON.parse(readFileSync(path, 'utf8'))
const verifier = new Verifier(toTrustMaterial(TrustedRoot.fromJSON(json(trust).trustedRoot)))
const policy = { subjectAlternativeName: signer, extensions: { issuer: 'https://token.actions.githubusercontent.com' } }

function refusal (path) {
  try {
    verifier.verify(toSignedEntity(bundleFromJSON(json(path))), policy)
    return null
  } catch (error) {
    return `${error.code ?? error.name}: ${error.message}`
  }
}

console.log(JSON.stringify(bundles.map(refusal)))
