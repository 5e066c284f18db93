// @ts-check
// Shared by every part of the page: building DOM without templates, words, numbers, the keyboard.
// Loaded once, from the head. Document text only ever becomes textContent.
window.labse = /** @type {any} */ ((() => {
  // The words must be there before any component is drawn, and Gradio puts scripts of the head in one by one, those with
  // an address later: hence a request that is waited for. It is answered from memory.
  const request = new XMLHttpRequest();
  request.open('GET', new URL('locale.json', document.baseURI), false);
  request.send();
  const given = JSON.parse(request.responseText), strings = given.strings, locale = given.locale;
  document.documentElement.lang = locale;
  document.documentElement.dir = given.direction;
  const plural = new Intl.PluralRules(locale);
  const numbers = new Intl.NumberFormat(locale);
  const names = new Intl.DisplayNames([locale], { type: 'language', fallback: 'code' });
  const RTL = new Set(given.rightToLeft);

  const el = (tag, cls, text, attributes, ...children) => {
    const node = document.createElement(tag);
    if (cls) node.className = cls;
    if (text != null) node.textContent = text;
    for (const key in attributes || {}) if (attributes[key] != null) node.setAttribute(key, attributes[key]);
    node.append(...children.filter(Boolean));
    return node;
  };
  const t = (key, values = {}) => {
    let entry = strings[key];
    if (entry === undefined) throw Error(`no string ${key}`);
    if (typeof entry === 'object') entry = entry[plural.select(Number(values.n))] ?? entry.other;
    return entry.replace(/\{(\w+)\}/g, (_, name) => {
      const value = values[name];
      return typeof value === 'number' ? numbers.format(value) : value == null ? '' : String(value);
    });
  };
  const language = code => {
    if (!code || code === 'unknown') return t('language_unknown');
    try { return names.of(code) || code; } catch (error) { return code; }
  };
  const dir = code => (!code || code === 'unknown' ? 'auto' : RTL.has(code) ? 'rtl' : 'ltr');
  // A number with a Latin unit keeps its order in a text from right to left: between LRI and PDI.
  const apart = words => given.direction === 'rtl' ? `\u2066${words}\u2069` : words;
  const bytes = n => {
    const units = ['B', 'kB', 'MB', 'GB', 'TB'];
    let i = 0;
    while (n >= 1000 && i < units.length - 1) { n /= 1000; i++; }
    return apart(`${n < 10 && i ? n.toFixed(1) : Math.round(n)} ${units[i]}`);
  };
  const duration = s => {
    s = Math.max(1, Math.round(s));
    if (s < 60) return apart(`${s} s`);
    if (s < 3600) return apart(`${Math.round(s / 60)} min`);
    return apart(`${Math.floor(s / 3600)} h ${Math.round((s % 3600) / 60)} min`);
  };
  const date = seconds => new Date(seconds * 1000).toLocaleDateString(locale, { dateStyle: 'medium' });
  const button = (cls, label, onclick, attributes = {}) => {
    const node = el('button', cls, label, { type: 'button', ...attributes });
    node.addEventListener('click', onclick);
    return node;
  };
  const goTo = key => {
    const wanted = t(key);
    [...document.querySelectorAll('button[role=tab]')].find(tab => tab.textContent.trim() === wanted)?.click();
  };
  const modal = () => document.querySelector('dialog:modal');
  const editing = () => {
    const active = document.activeElement;
    return !!active && (/^(INPUT|TEXTAREA|SELECT)$/.test(active.tagName) || /** @type {HTMLElement} */ (active).isContentEditable);
  };
  const question = () => document.querySelector('#question textarea, #question input');
  const frame = () => document.querySelector('.gradio-container') || document.body; // where the styles hold
  const say = message => {
    /** @type {HTMLElement | null} */
    let live = document.getElementById('labse-live');
    if (!live) frame().append((live = el('div', 'visually-hidden', null, { id: 'labse-live', role: 'status' })));
    /** @type {HTMLElement} */ (live).textContent = message;
  };

  // What the address bar holds: a search, an open source and a tab, each step of them in the history.
  const KEYS = ['q', 'mode', 'only', 'lang', 'kind', 'folder', 'doc', 'added', 'like', 'steer', 'sort', 'collection'];
  const TABS = { search: 'tab_search', findings: 'tab_findings', add: 'tab_add', collection: 'tab_collection', teach: 'tab_teach', settings: 'tab_settings' };
  let turn = 0;
  let restoring = true; // the next search is what the address says already: it is no step of its own
  const address = changes => {
    const url = new URL(location.href);
    for (const key in changes) {
      const value = changes[key];
      const empty = value == null || value === '' || value === false || (Array.isArray(value) && !value.length);
      if (empty) url.searchParams.delete(key);
      else url.searchParams.set(key, Array.isArray(value) ? JSON.stringify(value) : value === true ? '1' : value);
    }
    return url;
  };
  const asked = () => KEYS.map(key => new URL(location.href).searchParams.get(key) || '').join('\n');
  let searched = asked();
  const parameter = key => new URL(location.href).searchParams.get(key) || '';
  const entitle = () => { const q = parameter('q').slice(0, 80); document.title = q ? `${q} – ${t('app')}` : t('app'); };
  const go = (changes, replace = false) => {
    const url = address(changes);
    if (url.href !== location.href) history[replace ? 'replaceState' : 'pushState'](null, '', url);
    entitle();
    window.dispatchEvent(new Event('labse-address'));
  };
  // Gives the number of the search that begins.
  const remember = values => {
    if (labse.early.waiting) return ++turn; // a filter was touched before the page has loaded: the address is yet to be read
    const changes = Object.fromEntries(KEYS.map(key => [key, values[key]]));
    if (!restoring) Object.assign(changes, { view: '', tab: '' });
    go(changes, restoring);
    restoring = false;
    searched = asked();
    return ++turn;
  };
  const showTab = () => { const key = TABS[parameter('tab')] || 'tab_search'; if (tabKey() !== key) goTo(key); };
  // At the start: Gradio may draw its tabs later than the header.
  const firstTab = (tries = 100) => { showTab(); if (tries && tabKey() !== (TABS[parameter('tab')] || 'tab_search')) setTimeout(() => firstTab(tries - 1), 100); };
  const tabKey = () => {
    const label = document.querySelector('#tabs button[role=tab][aria-selected=true]')?.textContent.trim();
    return Object.values(TABS).find(key => t(key) === label);
  };
  // Back and Forward: the tab, the reader (viewer.js) and the search (header.js) follow the address.
  const follow = anew => {
    const search = anew || asked() !== searched;
    restoring ||= search; // one that is on its way, of the step before, is no step of its own either
    showTab();
    entitle();
    window.dispatchEvent(new CustomEvent('labse-address', { detail: { search } }));
    if (search) busy();
    searched = asked();
  };
  window.addEventListener('popstate', () => follow(false));
  // The page's collection is asked what this part of an address says, also if it is what was asked last.
  const openSearch = search => {
    const url = new URL(location.href), collection = url.searchParams.get('collection');
    url.search = search;
    if (collection) url.searchParams.set('collection', collection);
    if (url.href !== location.href) history.pushState(null, '', url);
    follow(true);
  };
  document.addEventListener('click', event => {
    if (!(event.target instanceof Element && event.target.closest('#tabs button'))) return;
    setTimeout(() => {
      const tab = Object.keys(TABS).find(one => TABS[one] === tabKey()) || 'search';
      if (tab !== (parameter('tab') || 'search')) go({ tab: tab === 'search' ? '' : tab });
    }, 0);
  }, true);
  // A value of a filter in the page's language: `lang` is a language's code, `key` a sentence of the page.
  const filterName = one => one.lang ? language(one.lang) : one.key ? t(one.key) : one.label;
  const link = view => address({ view, tab: '' }).href;
  // The open collection as the address says it; `name` is what the page holds, which follows when an answer has come.
  const opened = name => parameter('collection') || window.labseCollection || name;
  const exports = (what, parameters) => el('span', 'exports', null, {}, el('span', 'subdued', t('export')),
    ...['csv', 'md', 'json'].map(kind => el('a', 'link', t(`export_${kind}`), { href: `export/${what}.${kind}?${parameters}`, download: '' })));
  // A button that was pressed is off, and may say so, until its answer comes: a part that hears of one releases what it has
  // held, also where the answer is what it was before. Where none comes, all are.
  const held = new Map(); // button → its own words, where it has others for now
  const hold = (node, words) => {
    held.set(node, words ? node.textContent : null);
    node.disabled = true;
    if (words) node.textContent = words;
  };
  const release = within => {
    for (const [node, words] of held) {
      if (node.isConnected && !within.contains(node)) continue;
      held.delete(node);
      node.disabled = false;
      if (words != null) node.textContent = words;
    }
  };
  window.addEventListener('labse-failed', () => release(document));
  // Gradio tells a part nothing of an event that failed: the app refused it (too many at once), or is away.
  const fetched = window.fetch;
  window.fetch = async (wanted, options) => {
    let answer = null;
    try { return (answer = await fetched(wanted, options)); }
    finally {
      if (!answer?.ok && /\/run\/predict\b/.test(String(wanted)) && typeof options?.body === 'string') {
        const { event_data: sent, data: inputs } = JSON.parse(options.body);
        window.dispatchEvent(new CustomEvent('labse-failed', { detail: { ...sent, inputs } }));
      }
    }
  };
  // A job as one section: its state, its bar, what is left, and its buttons; `ask` hears "pause", "cancel" or "".
  const jobLine = (job, running, done, ask) => {
    const action = (key, wanted) => button(`link ${key}`, t(key), event => { hold(event.target); ask(wanted); });
    const open = ['queued', 'running', 'paused'].includes(job.state), ending = job.requested === 'cancel';
    const stopped = job.state === 'paused' || job.requested === 'pause';
    const buttons = job.state === 'failed' ? [action('retry', ''), action('cancel', 'cancel')]
      : open && !ending ? [job.kind === 'backup' || job.kind === 'restore' ? null : stopped ? action('resume', '') : action('pause', 'pause'), action('cancel', 'cancel')].filter(Boolean) : [];
    const state = open && ending ? t('job_cancelling') : job.requested === 'pause' && job.state === 'running' ? t('job_pausing')
      : job.state === 'running' ? running : t(`job_${job.state}`);
    const bar = el('progress', null, null, { 'aria-label': running });
    [bar.max, bar.value] = [done.of || 1, done.at];
    bar.hidden = !open;
    return el('section', 'job', null, { 'data-job': job.id, 'data-state': job.state, 'data-kind': job.kind }, el('header', null, null, {}, el('span', 'job-state', state),
      el('span', 'counts', done.words), el('div', 'buttons', null, {}, ...buttons)), bar, el('p', 'doing', null, {}, el('bdi', 'current', open ? job.current : ''),
      el('span', 'speed', job.state === 'running' && job.seconds_left != null ? t('time_left', { time: duration(job.seconds_left) }) : '')), job.error ? el('p', 'wrong', job.error) : null);
  };
  const copy = async (words, beside) => {
    let done = true;
    try { await navigator.clipboard.writeText(words); }
    catch (error) { // no clipboard outside a secure context: the old way
      const area = el('textarea', 'visually-hidden', words);
      beside.append(area); area.select();
      done = document.execCommand('copy'); area.remove();
    }
    if (done) say(t('copied'));
    return done;
  };

  // Recent questions stay in this browser.
  const RECENT = 'labse-recent';
  const recent = () => { try { return JSON.parse(localStorage.getItem(RECENT) || '[]') || []; } catch (error) { return []; } };
  const addRecent = text => {
    text = (text || '').trim();
    if (!text || text.length > 200) return;
    try { localStorage.setItem(RECENT, JSON.stringify([text, ...recent().filter(r => r !== text)].slice(0, 5))); }
    catch (error) { /* private windows have no storage: the list is a convenience */ }
  };
  const clearRecent = () => localStorage.removeItem(RECENT);

  const busy = () => window.dispatchEvent(new Event('labse-busy'));

  const helpSheet = () => {
    /** @type {HTMLDialogElement} */
    let sheet = document.querySelector('#labse-help');
    if (sheet) { sheet.open ? sheet.close() : sheet.showModal(); return; }
    sheet = el('dialog', 'sheet', null, { id: 'labse-help', 'aria-labelledby': 'labse-help-title' });
    const close = button('quiet', t('close'), () => sheet.close());
    sheet.append(el('h2', null, t('keyboard'), { id: 'labse-help-title' }), keyList(), close);
    sheet.addEventListener('click', event => { if (event.target === sheet) sheet.close(); });
    frame().append(sheet);
    sheet.showModal();
  };
  const keyList = () => {
    const list = el('dl', 'keys');
    for (const [keys, what] of /** @type {[string[], string][]} */ ([[['/'], 'key_focus'], [['Enter'], 'key_search'], [['Esc'], 'key_leave'],
      [['j', 'k', '↓', '↑'], 'key_move'], [['Enter'], 'key_open'], [['m'], 'key_like'], [['+', '-'], 'key_steer'], [['w'], 'key_why'], [['c'], 'key_copy'], [['y', 'x'], 'key_judge'], [['r', 'w', 's', 'u'], 'key_review'],
      [['n', 'p'], 'key_step'], [['f'], 'key_find'], [['?'], 'key_help']]))
      list.append(el('dt', null, null, {}, ...keys.map(key => el('kbd', null, key))), el('dd', null, t(what)));
    return list;
  };

  document.addEventListener('keydown', event => {
    if (event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (editing()) { if (event.key === 'Escape' && !modal()) /** @type {HTMLElement} */ (document.activeElement).blur(); return; }
    const sheet = /** @type {HTMLDialogElement | null} */ (document.getElementById('labse-help'));
    if (event.key === '?') { event.preventDefault(); helpSheet(); return; }
    if (sheet?.open || modal()) return;
    if (event.key === '/') {
      event.preventDefault();
      goTo('tab_search');
      setTimeout(() => { question()?.focus(); question()?.select(); }, 0);
    }
  });
  // Gradio draws its own controls in English: their words are replaced as they appear. Never inside answers or lists.
  const translate = () => {
    for (const [where, words] of Object.entries(given.controls)) for (const place of document.querySelectorAll(where)) {
      const walker = document.createTreeWalker(place, NodeFilter.SHOW_TEXT);
      for (let node; (node = /** @type {Text | null} */ (walker.nextNode()));) {
        const word = node.data.trim(), other = words[word];
        if (other && other !== word) node.data = node.data.replace(word, () => other);
      }
      for (const node of place.querySelectorAll('[placeholder], [aria-label]')) for (const name of ['placeholder', 'aria-label']) {
        const other = words[node.getAttribute(name)];
        if (other && other !== node.getAttribute(name)) node.setAttribute(name, other);
      }
    }
  };
  if (Object.keys(given.controls).length) new MutationObserver(translate).observe(document.documentElement, { childList: true, subtree: true, characterData: true });
  // Light or dark: as this browser chose, else as the settings say, else as the system. Gradio sets its own; it is kept.
  const stored = key => { try { return localStorage.getItem(key); } catch (error) { return null; } }; // private windows have no storage
  const theme = () => stored('labse-theme') || given.theme;
  const darkSystem = matchMedia('(prefers-color-scheme: dark)');
  const paint = () => {
    const dark = theme() === 'dark' || (theme() === 'auto' && darkSystem.matches);
    if (document.body && document.body.classList.contains('dark') !== dark) document.body.classList.toggle('dark', dark);
  };
  new MutationObserver(paint).observe(document.documentElement, { attributes: true, attributeFilter: ['class'], subtree: true });
  darkSystem.addEventListener('change', paint);
  const setTheme = name => { try { localStorage.setItem('labse-theme', name); } catch (error) { given.theme = name; } paint(); };
  // Gradio's own controls, mended as often as it draws them: it writes ltr on the question, and radios without a group.
  const mend = () => {
    const box = question(), radios = document.querySelector('#mode .wrap:has(input[type=radio])');
    if (box && box.getAttribute('dir') !== 'auto') box.setAttribute('dir', 'auto');
    if (radios && radios.getAttribute('role') !== 'radiogroup') { radios.setAttribute('role', 'radiogroup'); radios.setAttribute('aria-label', t('mode')); }
    radios?.querySelectorAll('input:not([name=labse-mode])').forEach(radio => { radio.name = 'labse-mode'; });
  };
  new MutationObserver(mend).observe(document.documentElement, { childList: true, subtree: true, attributes: true, attributeFilter: ['dir'] });
  const setLanguage = code => { document.cookie = `labse-language=${code}; path=/; max-age=31536000; samesite=lax`; location.reload(); };

  /** @type {(key: string) => Promise<void>} */
  const inAddress = key => new Promise(done => {
    const look = () => { if (parameter(key)) { window.removeEventListener('labse-address', look); done(); } };
    window.addEventListener('labse-address', look);
    look();
  });
  // The script of a component that a first visit does not show (scripts.py): fetched when the address has `key`, if one is
  // given, and again after a moment if the app was away.
  const part = async (key, file, element, ...given) => {
    if (key) await inAddress(key);
    let module = null;
    for (let tries = 0; !module; tries++) {
      const address = new URL(`scripts/${file}`, document.baseURI);
      if (tries) address.searchParams.set('again', String(tries)); // some browsers remember that an address failed
      try { module = await import(address.href); }
      catch (error) {
        if (!(error instanceof TypeError)) throw error; // fetched, but wrong
        await new Promise(done => setTimeout(done, 1000));
        if (!element.isConnected) return;
      }
    }
    module.default(element, ...given);
  };

  return { get turn() { return turn; }, takeTurn: () => ++turn, el, t, language, dir, bytes, duration, date, button, goTo, editing, modal, question, say, remember, go, openSearch, parameter, firstTab, link, opened, copy, exports, filterName, hold, release, jobLine, kept: new Set(), recent, addRecent,
    clearRecent, busy, keyList, part, setLanguage, theme, setTheme, locale, languages: given.languages, number: n => numbers.format(n) };
})());
