// The plain form: a function URL's event in, its answer out.

import { enqueue, isAuthentic } from './webhook.mjs';

export async function handler(event, context) {
  const rawBody = event.isBase64Encoded ? Buffer.from(event.body, 'base64').toString() : (event.body ?? '');
  if (!isAuthentic(rawBody, event.headers['x-meetstream-signature'])) {
    return { statusCode: 401, body: JSON.stringify({ error: 'invalid signature' }) };
  }
  await enqueue(rawBody, context.awsRequestId);
  return { statusCode: 200, headers: { 'content-type': 'application/json' }, body: JSON.stringify({ received: true }) };
}
