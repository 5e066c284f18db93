// @ts-check
// What the app tells without being asked (feed.py): one stream while the page is looked at. The window hears of it:
// 'labse-feed' {collection, header?, jobs?, watches?} and 'labse-gone' or 'labse-back' when the app goes or comes.
labse.feed = (() => {
  const SILENT = 5000, AGAIN = 2000; // a busy app may be late with a beat; one that ended closes the stream at once
  let source = null, collection = null, heard = 0, beats = 0, gone = false, again = 0;
  const turn = now => {
    if (now === gone) return;
    gone = now;
    document.documentElement.toggleAttribute('data-gone', gone);
    window.dispatchEvent(new Event(gone ? 'labse-gone' : 'labse-back'));
    if (gone) labse.say(labse.t('offline'));
  };
  const close = () => { source?.close(); source = null; clearTimeout(again); };
  const open = () => {
    close();
    if (collection === null || document.hidden) return;
    const address = new URL('events', document.baseURI);
    address.searchParams.set('collection', collection);
    source = new EventSource(address);
    heard = Date.now();
    const alive = () => { heard = Date.now(); turn(false); };
    source.addEventListener('open', alive);
    source.addEventListener('beat', () => { alive(); beats++; });
    source.addEventListener('state', event => { alive(); window.dispatchEvent(new CustomEvent('labse-feed', { detail: JSON.parse(event.data) })); });
    source.addEventListener('error', () => { turn(true); close(); again = setTimeout(open, AGAIN); });
  };
  document.addEventListener('visibilitychange', () => { if (document.hidden) close(); else open(); });
  window.addEventListener('pagehide', close);
  setInterval(() => { if (source && Date.now() - heard > SILENT) turn(true); }, 1000);
  // Installed once; from then on a shell is shown where the app does not answer (worker.js).
  if ('serviceWorker' in navigator) navigator.serviceWorker.register(new URL('worker.js', document.baseURI)).catch(() => {}); // private windows have none
  return { follow: name => { if (name !== collection) { collection = name; open(); } }, get gone() { return gone; }, get beats() { return beats; } };
})();
