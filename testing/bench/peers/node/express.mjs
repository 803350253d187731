// The form of the vendor's sample, an Express app with a raw body, behind the usual adapter to Lambda.

import serverlessExpress from '@vendia/serverless-express';
import express from 'express';
import { enqueue, isAuthentic } from './webhook.mjs';

const app = express();

app.post('/webhooks/meetstream', express.raw({ type: '*/*', limit: '2mb' }), async (request, response) => {
  const rawBody = request.body.toString();
  if (!isAuthentic(rawBody, request.get('x-meetstream-signature'))) {
    return response.status(401).json({ error: 'invalid signature' });
  }
  await enqueue(rawBody, serverlessExpress.getCurrentInvoke().context.awsRequestId);
  return response.status(200).json({ received: true });
});

export const handler = serverlessExpress({ app });
