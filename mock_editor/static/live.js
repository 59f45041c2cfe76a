// Parts of pages that change by themselves: <div data-live="URL"> shows whatever HTML a stream of server-sent events
// brings; with data-live-append="50", pieces are put before what is there, of which the first 50 stay.
// An event called `end` says that no more will come. A stream that is opened again is told the id of the last event,
// as `dernier`.
// <button data-live-pause="ID" hidden> stops the one with that id, and has it go on.
"use strict";

class Live {
  constructor(element) {
    this.element = element;
    this.most = Number(element.dataset.liveAppend);
    this.paused = false;
    for (const button of document.querySelectorAll(`[data-live-pause="${element.id}"]`)) {
      button.hidden = false;
      button.setAttribute("aria-controls", element.id);
      button.addEventListener("click", () => this.pause(button));
    }
    // Browsers open few connections to a server: a page that nobody sees leaves them to others.
    document.addEventListener("visibilitychange", () => this.follow());
    window.addEventListener("pagehide", () => this.stop());
    window.addEventListener("pageshow", (event) => event.persisted && this.follow());
    this.follow();
  }

  follow() {
    this.stop();
    if (this.paused || this.over || document.hidden) return;
    // A browser opens it again by itself when it breaks; after a refusal it does not.
    const url = new URL(this.element.dataset.live, location);
    if (this.last) url.searchParams.set("dernier", this.last);
    this.source = new EventSource(url);
    this.source.onmessage = (event) => {
      this.last = event.lastEventId;
      this.show(event.data);
    };
    this.source.addEventListener("end", () => this.stop(this.over = true));
    this.source.onerror = () => {
      if (this.source.readyState === EventSource.CLOSED) this.later = setTimeout(() => this.follow(), 5000);
    };
  }

  stop() {
    clearTimeout(this.later);
    if (this.source) this.source.close();
  }

  pause(button) {
    this.paused = !this.paused;
    button.textContent = this.paused ? "Reprendre" : "Pause";
    this.follow();
  }

  show(html) {
    clearTimeout(this.kept);
    if (this.most) {
      this.element.insertAdjacentHTML("afterbegin", html);
      while (this.element.children.length > this.most) this.element.lastElementChild.remove();
    } else if (this.busy()) this.kept = setTimeout(() => this.show(html), 500);
    else this.element.innerHTML = html;
  }

  // Nothing is taken away from under somebody who has the focus in it, has opened something or marks a text.
  busy() {
    const marked = document.getSelection();
    return this.element.contains(document.activeElement) || this.element.querySelector("details[open]") !== null
      || (!marked.isCollapsed && this.element.contains(marked.anchorNode));
  }
}

for (const element of document.querySelectorAll("[data-live]")) new Live(element);
