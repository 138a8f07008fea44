// The console: sections, keyboard, and what each section asks the gateway for.
import { ApiError, call, follow, signIn, signOut } from "./api.js";
import { approvalCard, badge, el, stepOf, table, visible, when } from "./view.js";

const $ = (id) => document.getElementById(id);
const SECTIONS = ["runs", "approvals", "audit", "budget", "jobs", "alerts"];
const EVERY_MS = 2000;
let section = "runs";
let timer = 0;
let session = 0;
let watched = { id: "", stop: null };

function say(text, tone = "") {
  $("state").textContent = visible(text);
  $("state").className = tone;
}

function failed(error) {
  if (error instanceof ApiError && error.status === 401) return leave("the key is not valid any more");
  say(error.hint ? `${error.message} (${error.hint})` : error.message, "bad");
}

const LOADERS = { runs: loadRuns, approvals: loadApprovals, audit: async () => {}, budget: loadBudget, jobs: loadJobs, alerts: loadAlerts };

async function round(mine) {
  if (mine !== session) return;
  try {
    await LOADERS[section]();
    if (section !== "approvals") await countWaiting();
    if (mine === session) say("connected", "good");
  } catch (error) {
    if (mine === session) failed(error);
  }
  if (mine === session) timer = setTimeout(() => round(mine), EVERY_MS);
}

function again() {
  clearTimeout(timer);
  session += 1;
  round(session);
}

$("enter").addEventListener("submit", async (event) => {
  event.preventDefault();
  signIn($("key").value.trim());
  $("key").value = "";
  $("enter-error").textContent = "";
  try {
    await call("GET", "v1/healthz");
  } catch (error) {
    signOut();
    $("enter-error").textContent = visible(error.message);
    $("key").focus();
    return;
  }
  $("enter").hidden = true;
  $("console").hidden = $("leave").hidden = false;
  show("runs");
  $("tab-runs").focus();
});

function leave(why) {
  signOut();
  clearTimeout(timer);
  session += 1;
  watch("");
  $("console").hidden = $("leave").hidden = true;
  $("enter").hidden = false;
  for (const id of ["run-list", "approval-list", "audit-rows", "budget-view", "job-list", "alert-list"]) $(id).replaceChildren();
  say(why, "");
  $("key").focus();
}
$("leave").addEventListener("click", () => leave("not signed in"));

function show(name) {
  section = name;
  for (const one of SECTIONS) {
    $(one).hidden = one !== name;
    $(`tab-${one}`).setAttribute("aria-selected", String(one === name));
    $(`tab-${one}`).tabIndex = one === name ? 0 : -1;
  }
  if (name === "audit" && !$("audit-rows").childElementCount) searchAudit().catch(failed);
  again();
}
for (const one of SECTIONS) $(`tab-${one}`).addEventListener("click", () => show(one));

document.addEventListener("keydown", (event) => {
  const typing = event.target.matches("input, textarea, select");
  if (event.key === "Escape" && typing) return event.target.blur();
  if (event.target.id === "message" && event.key === "Enter" && (event.ctrlKey || event.metaKey)) return $("ask").requestSubmit();
  if (typing || event.ctrlKey || event.metaKey || event.altKey || $("console").hidden) return;
  const at = SECTIONS.indexOf(section);
  const inTabs = event.target.matches('[role="tab"]');
  if (/^[1-6]$/.test(event.key)) { show(SECTIONS[Number(event.key) - 1]); $(`tab-${section}`).focus(); }
  else if (inTabs && (event.key === "ArrowRight" || event.key === "ArrowLeft")) {
    show(SECTIONS[(at + (event.key === "ArrowRight" ? 1 : SECTIONS.length - 1)) % SECTIONS.length]);
    $(`tab-${section}`).focus();
  } else if (event.key === "j" || event.key === "k") step(event.key === "j" ? 1 : -1);
  else if (event.key === "/") { event.preventDefault(); (section === "audit" ? $("audit-text") : (show("runs"), $("message"))).focus(); }
});

function step(by) {
  const items = [...$(section).querySelectorAll(".list button, article.card, tbody tr[tabindex]")];
  const at = items.indexOf(document.activeElement);
  const next = items[at < 0 ? (by > 0 ? 0 : items.length - 1) : Math.min(Math.max(at + by, 0), items.length - 1)];
  if (next) next.focus();
}

// Runs
async function loadRuns() {
  const runs = await call("GET", "v1/runs?limit=30");
  const held = document.activeElement && document.activeElement.dataset ? document.activeElement.dataset.run : "";
  $("run-list").replaceChildren(...runs.map((run) => el("li", {}, el("button", {
    type: "button", "data-run": run.id, "aria-current": String(run.id === watched.id), onclick: () => watch(run.id) },
  badge(run.status), ` ${run.message.slice(0, 120)}`, el("div", { class: "hint" }, `${when(run.created_at)} ${run.user_id} via ${run.source}`)))));
  if (!runs.length) $("run-list").append(el("li", { class: "hint" }, "Nothing was asked yet."));
  if (held) { const again = $("run-list").querySelector(`[data-run="${CSS.escape(held)}"]`); if (again) again.focus(); }
}

async function watch(id) {
  if (watched.stop) watched.stop.abort();
  watched = { id, stop: new AbortController() };
  const mine = watched;
  const answer = el("pre", { "aria-label": "Answer" });
  const steps = el("div", {});
  if (!id) return $("run-view").replaceChildren(el("h2", {}, "Steps"), el("p", { class: "hint" }, "Choose a run to see its steps as they happen."));
  const stop = el("button", { type: "button", class: "no", onclick: () => call("POST", `v1/runs/${id}/stop`, {}).catch(failed) }, "Stop this run");
  const status = el("p", { role: "status" }, badge("running"));
  $("run-view").replaceChildren(el("h2", {}, `Steps of ${id.slice(0, 8)}`), el("div", { class: "row" }, status, stop), steps, answer);
  for (const one of $("run-list").querySelectorAll("button")) one.setAttribute("aria-current", String(one.dataset.run === id));
  answer.hidden = true;
  let text = "";
  try {
    for await (const frame of follow(`v1/runs/${id}/events`, mine.stop.signal)) {
      if (mine !== watched) return;
      const shown = stepOf(frame);
      if (shown) steps.append(shown);
      if (frame.data.event === "text") { text += frame.data.content; answer.hidden = false; answer.textContent = visible(text); }
      if (frame.event === "done") ended(frame.data.run || {}, { status, stop, steps, answer });
    }
  } catch (error) {
    if (mine === watched) failed(error);
  }
}

function ended(run, { status, stop, steps, answer }) {
  stop.remove();
  status.replaceChildren(badge(run.status || "finished"), ` ${run.usage ? run.usage.input_tokens + run.usage.output_tokens : 0} tokens, ${run.cost_usd === null || run.cost_usd === undefined ? "unpriced" : `$${run.cost_usd.toFixed(4)}`}`);
  for (const denial of run.denials || []) steps.append(el("p", { class: "bad" }, `refused: ${denial.because}`));
  if (run.error) steps.append(el("p", { class: "bad" }, run.error));
  if (run.answer) { answer.hidden = false; answer.textContent = visible(run.answer); }
}

$("ask").addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = event.target.querySelector("button");
  button.disabled = true;
  try {
    const message = $("message").value;
    const begun = call("POST", "v1/query", { message, read_only: $("read-only").checked });
    $("message").value = "";
    begun.catch((error) => { if (!(error instanceof ApiError) || ![402, 403, 502, 504].includes(error.status)) failed(error); });
    await new Promise((wake) => setTimeout(wake, 300));
    await loadRuns();
    const newest = $("run-list").querySelector("button");
    if (newest) await Promise.race([watch(newest.dataset.run), new Promise((wake) => setTimeout(wake, 200))]);
  } catch (error) {
    failed(error);
  } finally {
    button.disabled = false;
  }
});

// Approvals
async function waiting() { return call("GET", "v1/approvals?status=pending"); }

async function countWaiting() { count((await waiting()).length); }

function count(many) {
  $("waiting").hidden = !many;
  $("waiting").textContent = String(many);
  document.title = many ? `(${many}) akili console` : "akili console";
}

async function loadApprovals() {
  const cards = await waiting();
  count(cards.length);
  const shown = new Map([...$("approval-list").querySelectorAll("article")].map((card) => [card.dataset.id, card]));
  const wanted = new Set(cards.map((card) => card.id));
  for (const [id, card] of shown) if (!wanted.has(id)) card.remove();
  for (const card of cards) if (!shown.has(card.id)) $("approval-list").append(approvalCard(card, (decision, feedback) => rule(card, decision, feedback)));
  const empty = $("approval-list").querySelector("p.none");
  if (cards.length && empty) empty.remove();
  if (!cards.length && !empty) $("approval-list").append(el("p", { class: "hint none" }, "Nothing waits for you."));
}

async function rule(card, decision, feedback) {
  const shown = $("approval-list").querySelector(`[data-id="${CSS.escape(card.id)}"]`);
  try {
    const body = { approval_id: card.id, decision };
    if (feedback) body.feedback = feedback;
    const done = await call("POST", "v1/approve", body);
    say(`${card.short_id} ${done.status}`, "good");
  } catch (error) {
    if (shown) for (const button of shown.querySelectorAll("button")) button.disabled = false;
    if (shown) shown.append(el("p", { class: "bad", role: "alert" }, error.hint ? `${error.message} (${error.hint})` : error.message));
    if (error.status === 401) return failed(error);
  }
  setTimeout(again, 1200);
}

// Audit
async function searchAudit() {
  const wanted = new URLSearchParams({ limit: "100" });
  for (const name of ["text", "tool", "user", "result"]) if ($(`audit-${name}`).value) wanted.set(name, $(`audit-${name}`).value);
  const found = await call("GET", `v1/audit?${wanted}`);
  $("audit-rows").replaceChildren(...found.map((one) => el("tr", { tabindex: "0" }, el("td", { class: "time" }, when(one.at)), el("td", {}, one.user || "-"), el("td", {}, one.source || "-"),
    el("td", {}, `${one.kind}${one.tool ? ` ${one.tool}` : ""}`), el("td", {}, badge(one.result)), el("td", {}, one.rule || "-"))));
  if (!found.length) $("audit-rows").append(el("tr", {}, el("td", { colspan: "6", class: "hint" }, "No record fits.")));
}
$("search").addEventListener("submit", (event) => { event.preventDefault(); searchAudit().catch(failed); });
$("verify").addEventListener("click", async () => {
  const light = $("light");
  light.className = "light warn";
  light.textContent = "verifying";
  try {
    const told = await call("POST", "v1/audit/verify", {});
    light.className = `light ${told.ok ? "good" : "bad"}`;
    light.textContent = visible(told.ok ? `whole: ${told.records} records` : `BROKEN: ${told.problems.length} problems`);
  } catch (error) {
    light.className = "light bad";
    light.textContent = visible(error.message);
  }
});

// Budget, jobs, alerts
async function loadBudget() {
  const told = await call("GET", "v1/budget");
  const share = told.limit_usd ? Math.min(told.spent_usd / told.limit_usd, 1) : 0;
  $("budget-view").replaceChildren(
    el("p", {}, `${told.user}: $${told.spent_usd.toFixed(4)} spent, $${told.reserved_usd.toFixed(4)} reserved, $${told.remaining_usd.toFixed(2)} left of $${told.limit_usd.toFixed(2)} (${told.day} UTC)`),
    el("meter", { min: 0, max: 1, low: 0.7, high: 0.9, optimum: 0, value: share, "aria-label": "Share of the day's budget that is spent" }, `${Math.round(share * 100)} %`));
}

// Lists a room that may be switched off, which is no failure.
async function listOf(path, place) {
  try {
    return await call("GET", path);
  } catch (error) {
    if (error.status !== 404) throw error;
    $(place).replaceChildren(el("p", { class: "hint" }, error.hint ? `${error.message}: ${error.hint}` : error.message));
    return null;
  }
}

async function loadJobs() {
  const jobs = await listOf("v1/cronjobs", "job-list");
  if (!jobs) return;
  $("job-list").replaceChildren(table(["Name", "When", "Owner", "State", "Next", "Last", "Last error"], jobs.map((job) => [job.name, job.cron_expression, job.user_id,
    badge(job.enabled === false ? "off" : "ok"), when(job.next_run_at), when(job.last_run_at), job.last_error || "-"])));
}

async function loadAlerts() {
  const alerts = await listOf("v1/alerts", "alert-list");
  if (!alerts) return;
  $("alert-list").replaceChildren(table(["Name", "Check", "Target", "Status", "Checked", "Alerted"], alerts.map((one) => [one.name, one.check_type, one.target,
    badge(one.last_status || "unknown"), when(one.last_checked_at), when(one.last_alerted_at)])));
}
