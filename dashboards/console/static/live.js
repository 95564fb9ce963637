// The live tail: what arrives for this page's question, on top of its table. A connection that breaks goes on where it was.
"use strict";
{
  const MOST = 200; // rows that have arrived; older ones of them give way, and the page loaded anew has them
  const SAY_MS = 1000; // a screen reader is told no more often
  const AGAIN_MS = [1000, 15000]; // after an answer that was none: twice as long each time, up to the second
  const live = document.querySelector("[data-live]");
  const part = (name) => live.querySelector(`[data-live-${name}]`);

  function run() {
    const [start, pause, stop, counted, status] = ["start", "pause", "stop", "count", "status"].map(part);
    const section = document.querySelector(".events");
    const body = section.querySelector("tbody");
    const shown = new Set([...body.querySelectorAll(".when a")].map((link) => link.getAttribute("href")));
    const arrived = []; // rows in the table, the oldest first
    let source = null;
    let last = ""; // the id of the last event, to go on from
    let held = null; // rows that wait while it is paused, the oldest first
    let count = 0;
    let waiting = 0; // how many have arrived while it is paused, those that were let go included
    let passed = 0;
    const gap = made("tr", { class: "gap" });
    let timer = 0;
    let again = 0; // the timer of the next attempt
    let pauseMs = AGAIN_MS[0];

    function cell({ label, value, reason, outcome, mood, mono }) {
      const found = made("td", { "data-name": label, ...(mono ? { class: "mono" } : {}) });
      if (!outcome) {
        found.append(...isolated(value));
      } else {
        if (value.parts.length > 1 || value.parts[0]) found.append(made("span", { class: `chip ${mood}` }, ...isolated(value)));
        if (reason.parts.length > 1 || reason.parts[0]) found.append(" ", made("small", { class: "reason" }, ...isolated(reason)));
      }
      return found;
    }

    function row({ time, href, cells }) {
      const when = made("td", { class: "when" }, made("a", { href }, time), " ", made("small", { class: "age" }, "just arrived"));
      return made("tr", { class: "arrived" }, when, ...cells.map(cell));
    }

    /** A line that says how many have arrived that are not shown. */
    function sayPassed(place) {
      if (!gap.isConnected) place();
      const text = `${passed.toLocaleString("en")} more have arrived in between. `;
      const again = made("a", { href: location.href }, "Load the page again to see them");
      gap.replaceChildren(made("td", { colspan: String(section.querySelectorAll("th").length) }, text, again));
    }

    /** The oldest of the rows that have arrived give way. Where the focus is, stays. */
    function bound() {
      while (arrived.length > MOST) {
        const [old] = arrived.splice(
          arrived.findIndex((one) => !one.contains(document.activeElement)),
          1,
        );
        passed += 1;
        sayPassed(() => old.after(gap));
        old.remove();
      }
    }

    function put(news) {
      if (shown.has(news.href)) return; // the page had it already
      shown.add(news.href);
      section.hidden = false;
      document.querySelector("[data-empty]")?.setAttribute("hidden", "");
      const found = row(news);
      body.prepend(found);
      arrived.push(found);
      bound();
    }

    function told() {
      counted.textContent = count ? `${count.toLocaleString("en")} new` : "";
    }

    function say(text, { bad = false } = {}) {
      status.textContent = text;
      status.classList.toggle("failures", bad);
    }

    function sayLive() {
      say(held ? "Paused" : "Live: what arrives appears on top");
    }

    function sayWaiting() {
      timer ||= setTimeout(() => {
        timer = 0;
        if (held) say(`Paused; ${waiting.toLocaleString("en")} new ${waiting === 1 ? "event waits" : "events wait"}`);
      }, SAY_MS);
    }

    function arrives(event) {
      last = event.lastEventId || last;
      const news = JSON.parse(event.data);
      if (status.classList.contains("failures")) sayLive();
      if (shown.has(news.href)) return;
      count += 1;
      if (!held) {
        put(news);
        return told();
      }
      waiting += 1;
      held.push(news);
      if (held.length > MOST) {
        held.shift();
        passed += 1;
      }
      told();
      sayWaiting();
    }

    function buttons(running) {
      start.hidden = running;
      pause.hidden = stop.hidden = !running;
      pause.textContent = held ? "Resume" : "Pause";
      live.classList.toggle("running", running && !held);
    }

    function end(text, { bad = false } = {}) {
      const focused = live.contains(document.activeElement);
      source?.close();
      source = null;
      clearTimeout(again);
      resume();
      start.textContent = "Go on live";
      buttons(false);
      say(text, { bad });
      if (focused) start.focus();
    }

    function problem(event) {
      const { status: code, detail, title } = JSON.parse(event.data);
      if (code === 401) {
        end("Your session has ended. ", { bad: true });
        start.hidden = true;
        status.append(made("a", { href: location.href }, "Sign in again"));
      } else if (code < 500) end(detail || title, { bad: true });
      else say(`${detail || title}. Trying on.`, { bad: true });
    }

    function address() {
      const url = new URL(live.dataset.live, location.href);
      if (last) url.searchParams.set("after", last);
      return url;
    }

    function connect() {
      const one = (source = new EventSource(address()));
      one.addEventListener("open", () => {
        pauseMs = AGAIN_MS[0];
        sayLive();
      });
      one.addEventListener("message", arrives);
      one.addEventListener("problem", problem);
      one.addEventListener("recovered", sayLive);
      one.addEventListener("error", () => {
        if (source !== one) return;
        if (one.readyState === EventSource.CONNECTING) broken();
        else refused(one);
      });
    }

    function broken() {
      say("The connection broke; connecting again. Nothing is lost.", { bad: true });
    }

    /** An EventSource does not tell what the answer was. A service that starts again, or the proxy before it, says 5xx meanwhile. */
    async function refused(one) {
      const asking = new AbortController();
      const answer = await fetch(address(), { redirect: "manual", signal: asking.signal }).catch(() => ({ ok: false, status: 503 }));
      asking.abort();
      if (source !== one) return; // it was stopped meanwhile
      if (!answer.ok && answer.status < 500) {
        return end("The live tail was refused. Load the page again; you may have to sign in.", { bad: true });
      }
      broken();
      again = setTimeout(connect, pauseMs);
      pauseMs = Math.min(2 * pauseMs, AGAIN_MS[1]);
    }

    function begin() {
      say("Connecting …");
      connect();
      buttons(true);
      pause.focus();
    }

    function resume() {
      const news = held;
      if (waiting > news?.length) sayPassed(() => body.prepend(gap));
      held = null;
      waiting = 0;
      clearTimeout(timer);
      timer = 0;
      news?.forEach(put);
    }

    start.addEventListener("click", begin);
    stop.addEventListener("click", () => end("Stopped"));
    pause.addEventListener("click", () => {
      if (held) {
        resume();
        sayLive();
      } else {
        held = [];
        say("Paused");
      }
      buttons(true);
    });
    window.addEventListener("pagehide", () => source && end("Stopped"));
    live.hidden = false;
  }

  if (live) run();
}
