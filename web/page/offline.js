// The service worker: registered, and its newer version let in when that loses nothing.
//
// A newer version waits until this page asks it to take over. So the page never gets half of its
// files from one version and half from another, as the decoder of one and the model of another.

import { $, announce } from "./dom.js";

/**
 * Register the service worker.
 * @param {() => boolean} isBusy whether a reload would lose what the user has given
 */
export async function workOffline(isBusy) {
  const container = navigator.serviceWorker;
  let { controller } = container;  // null at first, at the first visit
  let isAsked = false;  // whether the user has asked for the reload
  container.addEventListener("controllerchange", () => {
    const before = controller;
    controller = container.controller;
    if (!before) return;
    if (isAsked || !isBusy()) location.reload();
    else offer(() => location.reload());  // another tab has let it in
  });
  /** @param {ServiceWorker} worker that waits */
  const letIn = (worker) => {
    const takeOver = () => worker.postMessage("take over");
    if (!container.controller || !isBusy()) return takeOver();
    offer(() => {
      isAsked = true;
      takeOver();
    });
  };
  const registration = await container.register("sw.js");
  if (registration.waiting) letIn(registration.waiting);
  registration.addEventListener("updatefound", () => {
    const worker = /** @type {ServiceWorker} */ (registration.installing);
    worker.addEventListener("statechange", () => {
      if (worker.state === "installed" && registration.active) letIn(worker);
    });
  });
}

/** Tell of the newer version. @param {() => void} reload */
function offer(reload) {
  $("newer").hidden = false;
  $("reload").onclick = reload;
  announce($("newer-text").textContent);
}
