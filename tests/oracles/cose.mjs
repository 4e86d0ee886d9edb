// Another reader of COSE_Sign1, @auth0/cose: one line of JSON in, one word out, for each.
//
// A line: {"message": hex, "key": PEM, "payload": hex of what is signed where the message does not hold it}.
// The first argument is the folder that the package is installed in.

import { createPublicKey } from 'node:crypto';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';

const { Sign1 } = createRequire(`${process.argv[2]}/`)('@auth0/cose');

async function holds({ message, key, payload }) {
  const options = payload === undefined ? undefined : { detachedPayload: Buffer.from(payload, 'hex') };
  await Sign1.decode(Buffer.from(message, 'hex')).verify(createPublicKey(key), options);
}

for await (const line of createInterface({ input: process.stdin })) {
  try {
    await holds(JSON.parse(line));
    console.log('holds');
  } catch (fault) {
    console.error(`${fault}`);
    console.log('refused');
  }
}
