// @ts-check
// The page's service worker: when the app does not answer, a shell says so instead of the browser's error. Nothing of a
// document is ever kept here.
const worker = /** @type {any} */ (self); // tsc knows either the page or a worker
const SHELL = 'labse-shell-1';
worker.addEventListener('install', event => {
  worker.skipWaiting();
  event.waitUntil(caches.open(SHELL).then(cache => cache.add(new Request('shell', { cache: 'reload' }))));
});
worker.addEventListener('activate', event => {
  event.waitUntil(caches.keys().then(keys => Promise.all(keys.filter(key => key !== SHELL).map(key => caches.delete(key)))).then(() => worker.clients.claim()));
});
worker.addEventListener('fetch', event => {
  if (event.request.mode !== 'navigate') return;
  event.respondWith(fetch(event.request).catch(() => caches.match('shell')));
});
