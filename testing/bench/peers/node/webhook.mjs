// What both forms share: the signature over the raw body, and the message to the queue.

import { createHmac, timingSafeEqual } from 'node:crypto';
import { SQSClient, SendMessageCommand } from '@aws-sdk/client-sqs';

const secret = process.env.MEETSTREAM_WEBHOOK_SECRETS;
// The sink sends no checksum back; not computing one favours this side.
const sqs = new SQSClient({ md5: false });

export function isAuthentic(rawBody, header) {
  const expected = Buffer.from(`sha256=${createHmac('sha256', secret).update(rawBody).digest('hex')}`);
  const given = Buffer.from(header ?? '');
  return given.length === expected.length && timingSafeEqual(given, expected);
}

export async function enqueue(rawBody, requestId) {
  const event = JSON.parse(rawBody);
  await sqs.send(
    new SendMessageCommand({
      QueueUrl: process.env.EVENTS_QUEUE_URL,
      MessageGroupId: event.bot_id,
      MessageDeduplicationId: requestId,
      MessageBody: rawBody,
    }),
  );
  console.log(JSON.stringify({ level: 'INFO', requestId, event: event.event, bot: event.bot_id, reply: 200 }));
}
