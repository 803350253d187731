// Judges the simulator by what its providers publish, and not by what we wrote.
//
// Meeting BaaS: its official client makes every call, its zod schemas read every answer, and its types check every answer and
// every v2 webhook. MeetStream: its OpenAPI file, if there is one at ROLLCALL_MEETSTREAM_OPENAPI, checks every answer.
//
// Each schema must also refuse answers with a planted deviation, so no check of this file can be one that accepts everything.
// The world to be judged comes on standard input (testing/simulator/examples/judged.rs).

import * as sdk from "@meeting-baas/sdk"
import { execFileSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import path from "node:path"

const world = JSON.parse(readFileSync(0, "utf8"))
const findings = []
const ERRORS = ["V2.ErrorResponse", "V2.ResendFinalWebhook429"]
const judged = [] // { what, type, value, zod }: `type` is a name of the client's, `zod` a schema of it or nothing

// --- Meeting BaaS -----------------------------------------------------------------------------------------------------------

const { V2Zod, V2ZodCalendars } = sdk
const client = (version) =>
  sdk.createBaasClient({ api_key: world.meetingbaas_key, api_version: version, base_url: world.meetingbaas_url })
const [v1, v2] = [client("v1"), client("v2")]

function heard(what, answer, type, zod) {
  const value = type.startsWith("V2.") ? answer : answer.data
  if (!answer.success && !ERRORS.includes(type)) findings.push(`${what}: the client got ${JSON.stringify(answer).slice(0, 300)}`)
  judged.push({ what, type, value, zod })
  return value
}

/** All pages of a v2 list, by the client's own cursors. */
async function pages(what, list, type, zod) {
  const items = []
  let cursor = null
  for (let page = 0; page < 20; page++) {
    const answer = heard(`${what} page ${page}`, await list({ limit: 3, cursor }), type, zod)
    items.push(...answer.data)
    cursor = answer.cursor
    if (!cursor) return items
  }
  findings.push(`${what} has no end`)
  return items
}

const is = (condition, what) => condition || findings.push(what)
const unique = (values) => new Set(values).size === values.length

async function judgeV2() {
  const bots = await pages("v2 listBots", (query) => v2.listBots(query), "V2.ListBotsResponse", V2Zod.listBotsResponse)
  is(bots.length >= 10 && unique(bots.map((bot) => bot.bot_id)), `v2 listBots: ${bots.length} bots, each once`)
  const created = bots.map((bot) => Date.parse(bot.created_at))
  is(created.every((at, i) => i === 0 || at <= created[i - 1]), "v2 listBots is newest first")
  const after = new Date(created[3]).toISOString()
  const young = await v2.listBots({ limit: 250, created_after: after })
  is(young.data.every((bot) => bot.created_at > after) && young.data.length > 0, "v2 listBots obeys created_after")
  const ended = await v2.listBots({ limit: 250, ended_after: after })
  is(ended.data.every((bot) => bot.ended_at > after), "v2 listBots obeys ended_after")
  const done = await v2.listBots({ limit: 250, status: "completed" })
  is(done.data.every((bot) => bot.status === "completed") && done.data.length > 0, "v2 listBots obeys status")
  for (const { bot_id } of bots) {
    heard(`v2 getBotDetails ${bot_id}`, await v2.getBotDetails({ bot_id }), "V2.GetBotDetailsResponse", V2Zod.getBotDetailsResponse)
    heard(`v2 getBotStatus ${bot_id}`, await v2.getBotStatus({ bot_id }), "V2.GetBotStatusResponse", V2Zod.getBotStatusResponse)
  }
  const scheduled = await pages(
    "v2 listScheduledBots",
    (query) => v2.listScheduledBots(query),
    "V2.ListScheduledBotsResponse",
    V2Zod.listScheduledBotsResponse
  )
  const states = new Set(scheduled.map((bot) => bot.status))
  is(["scheduled", "cancelled", "completed"].every((state) => states.has(state)), `v2 listScheduledBots: ${[...states]}`)
  for (const { bot_id } of scheduled) {
    const zod = V2Zod.getScheduledBotDetailsResponse
    heard(`v2 getScheduledBot ${bot_id}`, await v2.getScheduledBot({ bot_id }), "V2.GetScheduledBotResponse", zod)
  }
  const { bot_id } = done.data[0]
  heard("v2 resendFinalWebhook", await v2.resendFinalWebhook({ bot_id }), "V2.ResendFinalWebhookResponse", V2Zod.resendFinalWebhookResponse)
  heard("v2 retryCallback", await v2.retryCallback({ bot_id }), "V2.RetryCallbackResponse", V2Zod.retryCallbackResponse)
  heard("v2 of no bot", await v2.getBotDetails({ bot_id: "10000000-0000-4000-8000-999999999999" }), "V2.ErrorResponse")
  const busy = await Promise.all(Array.from({ length: 12 }, () => v2.resendFinalWebhook({ bot_id })))
  const refused = busy.find((answer) => answer.statusCode === 429)
  is(refused, "v2 takes any number of writes a second")
  if (refused) heard("v2 too many writes", refused, "V2.ResendFinalWebhook429")
  const unfinished = bots.find((bot) => bot.status === "joining_call")
  await new Promise((resolve) => setTimeout(resolve, 1100)) // a second later writes are taken again
  const early = await v2.resendFinalWebhook({ bot_id: unfinished.bot_id })
  is(early.statusCode === 409, "v2 refuses to resend what has not ended")
  heard("v2 resend too early", early, "V2.ErrorResponse")

  const calendars = await pages("v2 listCalendars", (query) => v2.listCalendars(query), "V2.ListCalendarsResponse", V2ZodCalendars.listCalendarsResponse)
  for (const { calendar_id } of calendars) {
    const details = await v2.getCalendarDetails({ calendar_id })
    heard("v2 getCalendarDetails", details, "V2.GetCalendarDetailsResponse", V2ZodCalendars.getCalendarDetailsResponse)
    const entries = await pages(
      "v2 listEvents",
      (query) => v2.listEvents({ calendar_id, query: { ...query, show_cancelled: true } }),
      "V2.ListEventsResponse",
      V2ZodCalendars.listEventsResponse
    )
    is(entries.some((entry) => entry.status === "cancelled"), "v2 listEvents shows cancelled entries")
    for (const { event_id } of entries) {
      const event = await v2.getEventDetails({ calendar_id, event_id })
      heard("v2 getEventDetails", event, "V2.GetEventDetailsResponse", V2ZodCalendars.getEventDetailsResponse)
    }
  }
}

async function judgeV1() {
  const bots = []
  let cursor
  for (let page = 0; page < 20; page++) {
    const answer = heard("v1 listBots", await v1.listBots({ limit: 4, cursor }), "ListRecentBotsResponse", sdk.botsWithMetadataResponse)
    bots.push(...answer.bots)
    cursor = answer.next_cursor
    if (!cursor) break
  }
  is(!cursor && bots.length >= 10 && unique(bots.map((bot) => bot.uuid)), `v1 listBots: ${bots.length} bots, each once`)
  const after = bots[3].created_at
  const young = (await v1.listBots({ limit: 50, created_after: after })).data
  is(young.bots.length === 4, "v1 listBots obeys created_after")
  for (const { uuid } of bots) {
    const data = await v1.getMeetingData({ bot_id: uuid, include_transcripts: true })
    heard(`v1 getMeetingData ${uuid}`, data, "Metadata", sdk.getMeetingDataResponse)
  }
  const calendars = heard("v1 listCalendars", await v1.listCalendars(), "Calendar[]", sdk.listCalendarsResponse)
  for (const { uuid } of calendars) {
    heard("v1 getCalendar", await v1.getCalendar({ uuid }), "Calendar", sdk.getCalendarResponse)
    const page = await v1.listCalendarEvents({ calendar_id: uuid, status: "all" })
    const { data, next } = heard("v1 listCalendarEvents", page, "ListEventResponse", sdk.listEventsResponse)
    is(data.length > 0 && next, "v1 listCalendarEvents has pages")
    heard("v1 getCalendarEvent", await v1.getCalendarEvent({ uuid: data[0].uuid }), "Event", sdk.getEventResponse)
  }
}

/** The types of webhooks, by event. This version of the client has none for chat messages. */
const WEBHOOKS = {
  "bot.status_change": "V2.BotWebhookStatusChange",
  "bot.completed": "V2.BotWebhookCompleted",
  "bot.failed": "V2.BotWebhookFailed",
  "calendar.connection_created": "V2.CalendarWebhookConnectionCreated",
  "calendar.connection_updated": "V2.CalendarWebhookConnectionUpdated",
  "calendar.connection_deleted": "V2.CalendarWebhookConnectionDeleted",
  "calendar.events_synced": "V2.CalendarWebhookEventsSynced",
  "calendar.event_created": "V2.CalendarWebhookEventCreated",
  "calendar.event_updated": "V2.CalendarWebhookEventUpdated",
  "calendar.event_cancelled": "V2.CalendarWebhookEventCancelled"
}
const CALLBACKS = { "bot.completed": "V2.CallbackCompleted", "bot.failed": "V2.CallbackFailed" }

/** Status codes in the description of `listBots` of the client's version 6.2.4, which the registry may not have yet. */
const NEWER_CODES = ["pickup_delayed", "awaiting_reconciliation", "transcription_failed", "retrying"]
const CODES = [...V2Zod.listBotsResponse.shape.data.element.shape.status.options, ...NEWER_CODES]
/** Fields in the types of that version, of `GetBotDetailsResponseData`, `GetEventDetailsResponseData` and v1's `BotWithParams`. */
const NEWER_FIELDS = ["chat_messages", "tokens", "raw_payload", "is_stopped"]
const isNewer = (word) => NEWER_FIELDS.some((field) => word.includes(`and '"${field}"' does not exist in type`))

const unknownCode = (body) => body.event === "bot.status_change" && !CODES.includes(body.data.status.code)

function judgeWebhooks() {
  const seen = new Set()
  for (const { endpoint, body } of world.webhooks) {
    const type = (endpoint === "meetingbaas-callback" ? CALLBACKS : WEBHOOKS)[body.event]
    is(type, `${endpoint} ${body.event} is no webhook of the client's`)
    is(!unknownCode(body), `${endpoint} tells of the unknown status ${body.data?.status?.code}`)
    if (type) judged.push({ what: `${endpoint} ${body.event}`, type, value: body })
    seen.add(type)
  }
  for (const type of [...Object.values(WEBHOOKS), ...Object.values(CALLBACKS)]) is(seen.has(type), `no webhook was a ${type}`)
}

// --- Planted deviations -----------------------------------------------------------------------------------------------------

/** A wrong type, a missing field and an unknown word, in an answer or a webhook of this type: what must be refused. */
const PLANTED = [
  ["V2.ListBotsResponse", (v) => (v.data[0].bot_id = 7)],
  ["V2.ListBotsResponse", (v) => delete v.data[0].ended_at],
  ["V2.ListBotsResponse", (v) => (v.data[0].status = "dancing")],
  ["V2.ListBotsResponse", (v) => delete v.cursor],
  ["V2.GetBotDetailsResponse", (v) => (v.data.artifacts_deleted = "false")],
  ["V2.GetBotDetailsResponse", (v) => delete v.data.participants],
  ["V2.GetBotStatusResponse", (v) => (v.data.transcription_status = "dancing")],
  ["V2.GetBotStatusResponse", (v) => delete v.data.updated_at],
  ["V2.ListScheduledBotsResponse", (v) => (v.data[0].status = "dancing")],
  ["V2.ListScheduledBotsResponse", (v) => delete v.data[0].join_at],
  ["V2.GetScheduledBotResponse", (v) => (v.data.callback_config = "https://example.com")],
  ["V2.GetScheduledBotResponse", (v) => delete v.data.cancelled_at],
  ["V2.ListCalendarsResponse", (v) => (v.data[0].status = "dancing")],
  ["V2.GetCalendarDetailsResponse", (v) => delete v.data.sync_status],
  ["V2.ListEventsResponse", (v) => (v.data[0].bot_scheduled = null)],
  ["V2.GetEventDetailsResponse", (v) => delete v.data.timezone],
  ["V2.ErrorResponse", (v) => (v.statusCode = "404")],
  ["V2.ErrorResponse", (v) => delete v.code],
  ["V2.ResendFinalWebhookResponse", (v) => delete v.data.message],
  ["V2.RetryCallbackResponse", (v) => (v.data = [])],
  ["ListRecentBotsResponse", (v) => (v.bots[0].id = "1")],
  ["ListRecentBotsResponse", (v) => delete v.bots[0].created_at],
  ["Metadata", (v) => (v.duration = "2810")],
  ["Metadata", (v) => delete v.bot_data.bot.uuid],
  ["Calendar[]", (v) => delete v[0].google_id],
  ["Calendar", (v) => (v.email = null)],
  ["ListEventResponse", (v) => delete v.data[0].deleted],
  ["Event", (v) => (v.attendees = {})],
  ["V2.BotWebhookStatusChange", (v) => (v.data.status.created_at = 7)],
  ["V2.BotWebhookStatusChange", (v) => delete v.data.status.code],
  ["V2.BotWebhookStatusChange", (v) => (v.data.status.code = "dancing")],
  ["V2.BotWebhookCompleted", (v) => (v.data.duration_seconds = "1620")],
  ["V2.BotWebhookCompleted", (v) => delete v.data.data_deleted],
  ["V2.BotWebhookFailed", (v) => delete v.data.error_code],
  ["V2.CallbackCompleted", (v) => delete v.data.speakers],
  ["V2.CallbackFailed", (v) => (v.data.sent_at = 7)],
  ["V2.CalendarWebhookConnectionCreated", (v) => (v.data.status = "dancing")],
  ["V2.CalendarWebhookConnectionUpdated", (v) => delete v.data.calendar_platform],
  ["V2.CalendarWebhookConnectionDeleted", (v) => delete v.data.calendar_id],
  ["V2.CalendarWebhookEventsSynced", (v) => (v.data.events = {})],
  ["V2.CalendarWebhookEventCreated", (v) => delete v.data.instances],
  ["V2.CalendarWebhookEventUpdated", (v) => delete v.data.affected_instances],
  ["V2.CalendarWebhookEventCancelled", (v) => (v.data.cancelled_instances[0].status = "dancing")]
]

function planted() {
  return PLANTED.map(([type, change]) => {
    const good = judged.find((one) => one.type === type)
    if (!good) throw new Error(`nothing of the type ${type} was judged`)
    const value = structuredClone(good.value)
    change(value)
    return { what: `planted in ${type}: ${change}`, type, value, zod: good.zod, isPlanted: true }
  })
}

/** What the types of the client say of each, by one run of the TypeScript compiler: a list of messages for each. */
function byTypes(all) {
  const folder = mkdtempSync(path.join(import.meta.dirname, "types-"))
  try {
    all.forEach(({ type, value }, number) => {
      const name = type.replace(/\[\]$/, "").split(".")[0]
      const import_ = `import type { ${name} } from "@meeting-baas/sdk"`
      writeFileSync(path.join(folder, `t${number}.ts`), `${import_}\nexport const judged: ${type} = ${JSON.stringify(value, null, 1)}\n`)
    })
    const options = { strict: true, noEmit: true, skipLibCheck: true, module: "nodenext", target: "es2022", types: [] }
    writeFileSync(path.join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions: options, include: ["*.ts"] }))
    const compiler = createRequire(import.meta.url).resolve("typescript/bin/tsc")
    const said = all.map(() => [])
    try {
      execFileSync(process.execPath, [compiler, "--project", folder, "--pretty", "false"], { encoding: "utf8", stdio: "pipe" })
    } catch (error) {
      for (const line of `${error.stdout}`.split("\n")) {
        const found = /t(\d+)\.ts\(\d+,\d+\): (.*)/.exec(line)
        if (found) said[found[1]].push(found[2])
        else if (/^error /.test(line)) throw new Error(line)
      }
    }
    return said
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function byZod({ value, zod }) {
  const read = zod?.safeParse(value)
  return read && !read.success ? read.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`) : []
}

// --- MeetStream -------------------------------------------------------------------------------------------------------------

/** What its OpenAPI file declares and the simulator leaves out, as it would be for such bots. */
const LEFT_OUT = {
  listBots: [],
  getBotDetails: ["BotImageURL", "BotMessage", "BotProfile"],
  getBotStatus: [],
  getBotTranscriptions: [],
  getBotAudio: [],
  getBotVideo: ["size_mb", "frames_processed", "corrupted_frames"],
  fetchParticipants: ["profilePicture", "streamIds", "lastUpdated", "parentDeviceId"],
  listScheduledBots: []
}
const PATHS = {
  listBots: () => "/bots",
  getBotDetails: (id) => `/bots/${id}/detail`,
  getBotStatus: (id) => `/bots/${id}/status`,
  getBotTranscriptions: (id) => `/bots/${id}/transcriptions`,
  getBotAudio: (id) => `/bots/${id}/get_audio`,
  getBotVideo: (id) => `/bots/${id}/get_video`,
  fetchParticipants: (id) => `/bots/${id}/get_participants`,
  listScheduledBots: () => "/calendar/scheduled_bots"
}

async function judgeMeetStream(file) {
  const { default: Ajv } = await import("ajv/dist/2020.js")
  const openapi = JSON.parse(readFileSync(file, "utf8"))
  const ajv = new Ajv({ strict: false, allErrors: true, validateFormats: false })
  ajv.addSchema({ $id: "openapi", components: openapi.components })
  const operations = Object.values(openapi.paths).flatMap((methods) => Object.values(methods))
  for (const [operation, path_] of Object.entries(PATHS)) {
    const { responses } = operations.find((one) => one.operationId === operation) ?? {}
    const schema = responses?.["200"].content["application/json"].schema
    if (!schema) {
      findings.push(`MeetStream's file has no ${operation}`)
      continue
    }
    const validate = ajv.compile(JSON.parse(JSON.stringify(schema).replaceAll('"#/', '"openapi#/')))
    const names = new Set()
    let answers = 0
    for (const id of world.meetstream_bots) {
      const headers = { authorization: `Token ${world.meetstream_key}` }
      const response = await fetch(`${world.meetstream_url}${path_(id)}`, { headers })
      if (response.status !== 200) continue
      const value = await response.json()
      answers++
      if (!validate(value)) findings.push(`MeetStream's ${operation}: ${ajv.errorsText(validate.errors)}`)
      collect(value, names)
      is(!validate(wrong(value)), `MeetStream's schema of ${operation} takes an answer with every field of another type`)
    }
    is(answers > 0, `MeetStream's ${operation} never answered`)
    const missing = [...declared(schema, openapi)].filter((name) => !names.has(name)).sort()
    is(`${missing}` === `${LEFT_OUT[operation].sort()}`, `MeetStream's ${operation} leaves out ${missing}`)
  }
}

function collect(value, names) {
  if (Array.isArray(value)) value.forEach((one) => collect(one, names))
  else if (value && typeof value === "object")
    for (const [name, one] of Object.entries(value)) {
      names.add(name)
      collect(one, names)
    }
}

function declared(schema, openapi, names = new Set()) {
  if (schema.$ref) return declared(openapi.components.schemas[schema.$ref.split("/").pop()], openapi, names)
  for (const [name, one] of Object.entries(schema.properties ?? {})) {
    names.add(name)
    declared(one, openapi, names)
  }
  for (const one of [schema.items, ...(schema.oneOf ?? [])]) if (one) declared(one, openapi, names)
  return names
}

function wrong(value) {
  if (Array.isArray(value)) return { planted: true }
  if (value && typeof value === "object") return Object.fromEntries(Object.keys(value).map((name) => [name, [[name]]]))
  return [[value]]
}

// --- The verdict ------------------------------------------------------------------------------------------------------------

await judgeV2()
await judgeV1()
judgeWebhooks()
const all = [...judged, ...planted()]
const said = byTypes(all)
all.forEach((one, number) => {
  const words = [...said[number], ...byZod(one)]
  if (unknownCode(one.value ?? {})) words.push("an unknown status")
  if (one.isPlanted) is(words.length > 0, `not noticed: ${one.what}`)
  else words.filter((word) => !isNewer(word)).forEach((word) => findings.push(`${one.what}: ${word}`))
})
const openapi = process.env.ROLLCALL_MEETSTREAM_OPENAPI
if (openapi) await judgeMeetStream(openapi)

for (const finding of new Set(findings)) console.error(`- ${finding}`)
console.log(
  `Meeting BaaS: ${judged.length} answers and webhooks, ${PLANTED.length} planted deviations; ` +
    `MeetStream: ${openapi ? `${Object.keys(PATHS).length} calls` : "SKIPPED, ROLLCALL_MEETSTREAM_OPENAPI names no OpenAPI file"}; ` +
    `${new Set(findings).size} findings`
)
process.exitCode = findings.length ? 1 : 0
