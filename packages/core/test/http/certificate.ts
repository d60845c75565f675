import { createPrivateKey, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'

/** A certificate and its key, as `node:tls` takes them. */
export interface Certified {
  readonly cert: string
  readonly key: string
}

/**
 * Certificates for a test, made as it runs: none with its key lies in the repository, and none expires. Without an
 * `issuer` it signs itself and may sign others. RFC 5280, 4.1, with ECDSA on P-256.
 */
export function certificate(
  commonName: string,
  issuer?: Certified & { readonly name: string },
): Certified & { name: string } {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const issuerName = issuer?.name ?? commonName
  const signingKey: KeyObject = issuer === undefined ? privateKey : createPrivateKey(issuer.key)
  const subjectAlternatives = sequence(
    tagged(0x82, Buffer.from('localhost')),
    tagged(0x87, Buffer.from([127, 0, 0, 1])),
    tagged(0x87, Buffer.concat([Buffer.alloc(15), Buffer.from([1])])),
  )
  const extensions = [extension('551d11', subjectAlternatives)]
  if (issuer === undefined) extensions.push(extension('551d13', sequence(tagged(0x01, Buffer.from([0xff])))))
  const toBeSigned = sequence(
    tagged(0xa0, tagged(0x02, Buffer.from([2]))),
    tagged(0x02, Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    ECDSA_WITH_SHA256,
    nameOf(issuerName),
    sequence(utcTime('200101000000Z'), utcTime('491231235959Z')),
    nameOf(commonName),
    publicKey.export({ type: 'spki', format: 'der' }),
    tagged(0xa3, sequence(...extensions)),
  )
  const signature = sign('sha256', toBeSigned, signingKey)
  const der = sequence(toBeSigned, ECDSA_WITH_SHA256, tagged(0x03, Buffer.concat([Buffer.from([0]), signature])))
  const lines = der
    .toString('base64')
    .match(/.{1,64}/g)!
    .join('\n')
  return {
    name: commonName,
    cert: `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`,
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
  }
}

const ECDSA_WITH_SHA256 = sequence(tagged(0x06, Buffer.from('2a8648ce3d040302', 'hex')))

function nameOf(commonName: string): Buffer {
  const attribute = sequence(tagged(0x06, Buffer.from('550403', 'hex')), tagged(0x0c, Buffer.from(commonName)))
  return sequence(tagged(0x31, attribute))
}

function extension(identifier: string, value: Buffer): Buffer {
  return sequence(tagged(0x06, Buffer.from(identifier, 'hex')), tagged(0x04, value))
}

function utcTime(time: string): Buffer {
  return tagged(0x17, Buffer.from(time))
}

function sequence(...parts: Buffer[]): Buffer {
  return tagged(0x30, Buffer.concat(parts))
}

function tagged(tag: number, content: Buffer): Buffer {
  const { length } = content
  const header = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.from([tag, ...header]), content])
}
