// What Lambda's own runtime for Node does: ask for an event, call the handler, post its answer. The handler's module is
// the first argument.

import http from 'node:http';

const api = process.env.AWS_LAMBDA_RUNTIME_API;
const [hostname, port] = api.split(':');
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

function call(method, path, body) {
  return new Promise((resolve, reject) => {
    const options = { hostname, port, agent, method, path: `/2018-06-01/runtime/${path}` };
    const headers = body === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    const request = http.request({ ...options, headers }, (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('end', () => resolve({ headers: response.headers, text: Buffer.concat(chunks).toString() }));
    });
    request.on('error', reject);
    request.end(body);
  });
}

const { handler } = await import(new URL(process.argv[2], import.meta.url));

for (;;) {
  const next = await call('GET', 'invocation/next');
  const awsRequestId = next.headers['lambda-runtime-aws-request-id'];
  const deadline = Number(next.headers['lambda-runtime-deadline-ms']);
  const context = { awsRequestId, getRemainingTimeInMillis: () => deadline - Date.now(), callbackWaitsForEmptyEventLoop: false };
  try {
    const answer = await handler(JSON.parse(next.text), context);
    await call('POST', `invocation/${awsRequestId}/response`, JSON.stringify(answer ?? null));
  } catch (error) {
    const report = { errorType: error.name, errorMessage: String(error.message), stackTrace: String(error.stack).split('\n') };
    await call('POST', `invocation/${awsRequestId}/error`, JSON.stringify(report));
  }
}
