// The other side of tests/unit/crypto_mldsa44.c: @noble/post-quantum, an independent ML-DSA-44.
// Each line read is ours: seed, context, message, random bytes, public key, signature, in hex ("-"
// is empty). For each that agrees with noble's own a line goes out: a context, a message and a
// signature of noble's for the same key. Anything else ends it with a message.
import { createInterface } from 'node:readline';
import { randomBytes } from 'node:crypto';

const { ml_dsa44 } = await import('@noble/post-quantum/ml-dsa.js');
const bytes = (hex) => new Uint8Array(Buffer.from(hex === '-' ? '' : hex, 'hex'));
const hex = (data) => Buffer.from(data).toString('hex') || '-';
const same = (a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)) === 0;

for await (const line of createInterface({ input: process.stdin })) {
  const [seed, context, message, random, key, signature] = line.split(' ').map(bytes);
  const pair = ml_dsa44.keygen(seed);
  if (!same(pair.publicKey, key)) throw new Error('another public key');
  if (!ml_dsa44.verify(signature, message, key, { context })) throw new Error('bad signature');
  if (!same(ml_dsa44.sign(message, pair.secretKey, { context, extraEntropy: random }), signature))
    throw new Error('another signature');
  const other = new Uint8Array(randomBytes(message.length + 1));
  console.log(hex(context), hex(other), hex(ml_dsa44.sign(other, pair.secretKey, { context })));
}
