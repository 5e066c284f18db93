// Shared by every part of the page: building DOM without templates, words, numbers, the keyboard.
// Loaded once, from the head. Document text only ever becomes textContent.
window.labse = (() => {
  const strings = window.labseStrings || {};
  const locale = 'en';
  const numbers = new Intl.NumberFormat(locale);
  const names = new Intl.DisplayNames([locale], { type: 'language', fallback: 'code' });
  const RTL = new Set(window.labseRightToLeft || []);

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
    if (Array.isArray(entry)) entry = entry[values.n === 1 ? 0 : 1];
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
  const bytes = n => {
    const units = ['B', 'kB', 'MB', 'GB', 'TB'];
    let i = 0;
    while (n >= 1000 && i < units.length - 1) { n /= 1000; i++; }
    return `${n < 10 && i ? n.toFixed(1) : Math.round(n)} ${units[i]}`;
  };
  const duration = s => {
    s = Math.max(1, Math.round(s));
    if (s < 60) return `${s} s`;
    if (s < 3600) return `${Math.round(s / 60)} min`;
    return `${Math.floor(s / 3600)} h ${Math.round((s % 3600) / 60)} min`;
  };
  const date = seconds => new Date(seconds * 1000).toLocaleDateString(undefined, { dateStyle: 'medium' });
  const button = (cls, label, onclick, attributes = {}) => {
    const node = el('button', cls, label, { type: 'button', ...attributes });
    node.addEventListener('click', onclick);
    return node;
  };
  const goTo = key => {
    const wanted = t(key);
    // On a narrow screen some tabs live in a menu.
    [...document.querySelectorAll('button[role=tab], .overflow-menu button, .overflow-dropdown button')].find(tab => tab.textContent.trim() === wanted)?.click();
  };
  const editing = () => {
    const active = document.activeElement;
    return !!active && (/^(INPUT|TEXTAREA|SELECT)$/.test(active.tagName) || active.isContentEditable);
  };
  const question = () => document.querySelector('#question textarea, #question input');
  const frame = () => document.querySelector('.gradio-container') || document.body; // where the styles hold
  const say = message => {
    let live = document.getElementById('labse-live');
    if (!live) frame().append((live = el('div', 'visually-hidden', null, { id: 'labse-live', role: 'status' })));
    live.textContent = message;
  };

  // What the address bar holds: a search that can be bookmarked.
  const KEYS = ['q', 'mode', 'only', 'lang', 'kind', 'folder', 'doc', 'added', 'collection'];
  const remember = values => {
    const url = new URL(location.href);
    url.searchParams.delete('like');
    for (const key of KEYS) {
      const value = values[key];
      const empty = value == null || value === '' || value === false || (Array.isArray(value) && !value.length);
      if (empty) url.searchParams.delete(key);
      else url.searchParams.set(key, Array.isArray(value) ? JSON.stringify(value) : value === true ? '1' : value);
    }
    history.replaceState(null, '', url);
  };

  // Recent questions stay in this browser.
  const RECENT = 'labse-recent';
  const recent = () => { try { return JSON.parse(localStorage.getItem(RECENT)) || []; } catch (error) { return []; } };
  const addRecent = text => {
    text = (text || '').trim();
    if (!text || text.length > 200) return;
    try { localStorage.setItem(RECENT, JSON.stringify([text, ...recent().filter(r => r !== text)].slice(0, 5))); }
    catch (error) { /* private windows have no storage: the list is a convenience */ }
  };
  const clearRecent = () => localStorage.removeItem(RECENT);

  const busy = () => window.dispatchEvent(new Event('labse-busy'));

  const helpSheet = () => {
    let sheet = document.getElementById('labse-help');
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
    for (const [keys, what] of [[['/'], 'key_focus'], [['Enter'], 'key_search'], [['Esc'], 'key_leave'],
      [['j', 'k', '↓', '↑'], 'key_move'], [['Enter'], 'key_open'], [['m'], 'key_like'], [['c'], 'key_copy'],
      [['?'], 'key_help']])
      list.append(el('dt', null, null, {}, ...keys.map(key => el('kbd', null, key))), el('dd', null, t(what)));
    return list;
  };

  document.addEventListener('keydown', event => {
    if (event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (editing()) { if (event.key === 'Escape' && !document.querySelector('dialog[open]')) document.activeElement.blur(); return; }
    const sheet = document.getElementById('labse-help');
    if (event.key === '?') { event.preventDefault(); helpSheet(); return; }
    if (sheet?.open || document.querySelector('dialog[open]')) return;
    if (event.key === '/') {
      event.preventDefault();
      goTo('tab_search');
      setTimeout(() => { question()?.focus(); question()?.select(); }, 0);
    }
  });
  // A file dropped beside the drop zone must not navigate away from the page.
  for (const kind of ['dragover', 'drop']) window.addEventListener(kind, event => {
    if (!event.target.closest?.('.drop')) event.preventDefault();
  });
  return { el, t, language, dir, bytes, duration, date, button, goTo, editing, question, say, remember, recent, addRecent,
    clearRecent, busy, keyList, number: n => numbers.format(n) };
})();
