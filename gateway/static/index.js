const EXAMPLES = {
  document: ["Apple Inc. opened a bright new office in London. Everyone loves it.", "Where is the new office?"],
  sentiment: ["The implementation was seamless and very robust."],
  ner: ["Apple Inc. is planning to open a new office in London."],
  qa: ["MLflow is an open source platform for the machine learning lifecycle.", "What is MLflow?"],
};
const [form, text, question, key, keyField, status, result, raw] = [
  "form", "text", "question", "key", "key-field", "status", "result", "raw",
].map((id) => document.getElementById(id));
// Of this tab alone, and gone with it.
const KEPT_KEY = "nlp-key";
let typed = false;

function element(tag, className, content) {
  const made = document.createElement(tag);
  made.className = className;
  if (content !== undefined) made.textContent = content;
  return made;
}

function percent(score) {
  return `${(100 * score).toFixed(1)} %`;
}

// Positions count code points, but JavaScript's strings count UTF-16 units: only Array.from slices them right.
function marked(source, spans) {
  const characters = Array.from(source);
  const paragraph = element("p", "");
  let end = 0;
  for (const span of spans) {
    paragraph.append(characters.slice(end, span.start_char).join(""));
    const mark = element("mark", span.type ?? "answer", characters.slice(span.start_char, span.end_char).join(""));
    mark.title = percent(span.score);
    if (span.type) mark.append(element("small", "", span.type));
    paragraph.append(mark);
    end = span.end_char;
  }
  paragraph.append(characters.slice(end).join(""));
  return paragraph;
}

function showSentiment(label, score) {
  const meter = element("meter", "");
  meter.value = score;
  result.append(element("h2", "", "Sentiment"), element("p", `label ${label}`, `${label} · ${percent(score)}`), meter);
}

function showEntities(source, entities) {
  result.append(element("h2", "", "Entities"), marked(source, entities));
  if (!entities.length) result.append(element("p", "quiet", "None found."));
}

function showAnswer(asked, source, answer) {
  result.append(element("h2", "", asked), element("p", "label", answer.answer || "No answer found."));
  result.append(marked(source, answer.answer ? [answer] : []), element("p", "quiet", percent(answer.score)));
}

function show(task, body, reply) {
  if (task === "qa") return showAnswer(body.question, body.context, reply);
  if (task === "sentiment") return showSentiment(reply.sentiment, reply.score);
  if (reply.sentiment) showSentiment(reply.sentiment.label, reply.sentiment.score);
  if (reply.entities) showEntities(reply.text, reply.entities);
  for (const answer of reply.answers ?? []) showAnswer(answer.question, reply.text, answer);
}

function showProblem(problem) {
  result.append(element("p", "label problem", problem.title ?? "No answer"));
  result.append(element("p", "", problem.detail ?? "The gateway did not answer."));
  const facts = ["code", "field", "limit"].filter((name) => name in problem).map((name) => `${name}: ${problem[name]}`);
  result.append(element("p", "quiet", facts.join(" · ")));
}

function chosenTask() {
  return new FormData(form).get("task");
}

function requestBody(task) {
  if (task === "qa") return { context: text.value, question: question.value };
  if (task === "document" && question.value) return { text: text.value, questions: [question.value] };
  return { text: text.value };
}

function askForKey() {
  sessionStorage.removeItem(KEPT_KEY);
  keyField.hidden = false;
  key.focus();
}

async function ask() {
  const task = chosenTask();
  const body = requestBody(task);
  const started = performance.now();
  const headers = { "Content-Type": "application/json" };
  // A header holds no other characters: fetch would throw, and a key has none.
  if (key.value) headers.Authorization = `Bearer ${key.value.replace(/[^\x21-\x7e]/g, "")}`;
  const response = await fetch(`predict/${task}`, { method: "POST", headers, body: JSON.stringify(body) });
  const reply = await response.json();
  if (response.status === 401) askForKey();
  else sessionStorage.setItem(KEPT_KEY, key.value);
  status.textContent = `${response.status} in ${Math.round(performance.now() - started)} ms`;
  result.replaceChildren();
  if (response.ok) show(task, body, reply);
  else showProblem(reply);
  raw.querySelector("pre").textContent = JSON.stringify(reply, null, 2);
  raw.hidden = false;
}

function chooseTask() {
  const task = chosenTask();
  const asks = task === "qa" || task === "document";
  document.getElementById("question-field").hidden = !asks;
  question.required = task === "qa";
  if (!typed) [text.value, question.value] = [EXAMPLES[task][0], EXAMPLES[task][1] ?? ""];
}

for (const radio of form.elements.task) radio.addEventListener("change", chooseTask);
for (const field of [text, question]) field.addEventListener("input", () => (typed = true));
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = form.querySelector("button");
  button.disabled = true;
  status.textContent = "asking…";
  try {
    await ask();
  } catch {
    status.textContent = "";
    result.replaceChildren();
    showProblem({});
    raw.hidden = true;
  }
  result.hidden = false;
  button.disabled = false;
});
key.value = sessionStorage.getItem(KEPT_KEY) ?? "";
keyField.hidden = !key.value;
chooseTask();
