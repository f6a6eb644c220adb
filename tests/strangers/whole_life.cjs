// Lives the whole life of a batch with the official TypeScript client; prints what it saw as JSON.
// Reads {url, key, model, mixed, canceled, tooLarge, tooMany} from standard input. NODE_PATH names the client's place.
const Anthropic = require("@anthropic-ai/sdk");
const { readFileSync } = require("node:fs");

const asked = JSON.parse(readFileSync(0, "utf8"));
const client = new Anthropic({ apiKey: asked.key, baseURL: asked.url, maxRetries: 0 });
const batches = client.messages.batches;

async function ended(batch) {
  while (batch.processing_status !== "ended") {
    await new Promise((resolve) => setTimeout(resolve, 100));
    batch = await batches.retrieve(batch.id);
  }
  return batch;
}

function seen({ result }) {
  return result.type === "errored" ? result.error.error.type : result.message.content[0].text.split(" ")[0];
}

async function error(call) {
  try {
    await call();
  } catch (raised) {
    if (!(raised instanceof Anthropic.APIError)) throw raised;
    return raised.constructor.name;
  }
  return "none";
}

async function collect(iterable, take) {
  const taken = [];
  for await (const one of iterable) taken.push(take(one));
  return taken;
}

async function live() {
  const first = await batches.create({ requests: asked.mixed });
  const done = await ended(first);
  const results = await collect(await batches.results(first.id), (line) => [line.custom_id, seen(line)]);
  const second = await batches.create({ requests: asked.canceled });
  const canceling = await batches.cancel(second.id);
  const counts = (await ended(second)).request_counts;
  const listed = await collect(batches.list({ limit: 1 }), (batch) => batch.id);
  const deleted = await batches.delete(first.id);
  const models = await collect(client.models.list({ limit: 3 }), (model) => model.id);
  const messages = [{ role: "user", content: "Hello" }];
  return {
    created: [first.type, first.processing_status, first.request_counts.processing],
    counts: done.request_counts,
    results: Object.fromEntries(results),
    canceling: canceling.processing_status,
    canceled: ["ended", counts.succeeded + counts.canceled, counts.canceled > 0],
    pages: JSON.stringify(listed) === JSON.stringify([second.id, first.id]),
    deleted: deleted.type,
    errors: {
      empty: await error(() => batches.create({ requests: [] })),
      unknown: await error(() => batches.cancel("msgbatch_unknown")),
      deleted: await error(() => batches.retrieve(first.id)),
      "too large": await error(() => batches.create({ requests: asked.tooLarge })),
      "too many": await error(() => batches.create({ requests: asked.tooMany })),
    },
    models: models.includes(asked.model),
    tokens: (await client.messages.countTokens({ model: asked.model, messages })).input_tokens > 0,
  };
}

live().then((transcript) => console.log(JSON.stringify(transcript)));
