// @ts-check
// The documents of the collection. Events to Python: 'remove' {document}, 'restore' {document}, 'reindex' {document}
// (empty: all), 'only' {document}, 'forget', all of them with {collection}; 'refresh', 'check', 'repair'.
const { el, t, language, dir, button, date, number } = labse;
const root = element.querySelector('.documents');
const PAGE = 50, BARS = 12, BARS_BESIDE = 6;
let shown = PAGE, wanted = '', sorted = 'losses', down = true, last = null;

const opened = new Set();  // charts that are shown whole
// A chart: [name, number] rows as bars, the longest for the largest number; `remark` stands below them.
const chart = (key, rows, remark) => {
  const most = Math.max(...rows.map(([, n]) => n)), few = key === 'language_bars' ? BARS : BARS_BESIDE;
  const list = el('ul', 'bars-list');
  for (const [name, n] of rows.slice(0, opened.has(key) ? undefined : few)) {
    const fill = el('span', 'fill'); fill.style.inlineSize = `${Math.max(1, 100 * n / most)}%`;
    list.append(el('li', null, null, {}, el('bdi', 'bar-name', name), el('span', 'bar', null, { 'aria-hidden': 'true' }, fill), el('span', 'number', number(n))));
  }
  const left = opened.has(key) ? 0 : rows.length - few;
  const more = left > 0 ? button('link', t('show_more', { n: left }), () => { opened.add(key); last = null; draw(); }) : null;
  return el('section', `chart ${key}`, null, {}, el('h2', null, t(key)), list, more, remark ? el('p', 'subdued', remark) : null);
};
const charts = value => [
  chart('language_bars', value.languages.map(([code, n]) => [language(code), n])),
  el('div', 'chart-pair', null, {},
    chart('kind_bars', value.kinds.map(([kind, n]) => [kind.toUpperCase(), n])),
    chart('coverage_bars', value.coverage.map(([reason, n]) => [reason ? t('coverage_out', { reason: reason.replaceAll('_', ' ') }) : t('coverage_in'), n]),
      value.lost ? t('coverage_lost', { n: value.lost }) : t('coverage_none_lost')))];
// Blank characters between paragraphs are no text that anybody would miss.
const BLANK = new Set(['whitespace', 'separator']);
const coverage = one => {
  const left = one.skipped.filter(([reason]) => !BLANK.has(reason));
  const words = left.length
    ? t('coverage', { characters: one.characters, embedded: one.embedded, skipped: left.map(([reason, n]) => t('coverage_skipped', { n, reason })).join(', ') })
    : t('coverage_whole', { characters: one.characters });
  const every = one.skipped.map(([reason, n]) => t('coverage_skipped', { n, reason })).join(', ');
  return el('span', 'coverage', words, { title: t('coverage', { characters: one.characters, embedded: one.embedded, skipped: every || '0' }) });
};
const status = one => {
  const key = { stored: 'searchable', removed: 'removed' }[one.state] || 'storing';
  const cell = el('td', 'doc-status', null, {}, el('span', one.state === 'stored' ? 'ok' : 'subdued', t(key)), coverage(one));
  for (const note of one.notes) cell.append(el('span', 'doc-note', note));
  return cell;
};
const problems = value => {
  const list = el('ul', 'plan-notes');
  for (const one of value.problems.slice(0, 20)) list.append(el('li', null, null, {}, one.name ? el('bdi', null, one.name + ': ') : null, one.what));
  if (value.problems.length > 20) list.append(el('li', null, t('and_more', { n: value.problems.length - 20 })));
  const fix = button('primary', t('repair'), event => { labse.hold(event.target); trigger('repair'); });
  return el('section', 'notice weak', null, { role: 'alert' }, el('h2', null, t('not_whole')), list, el('div', 'buttons', null, {}, fix, el('span', 'subdued', t('repair_note'))));
};
const row = one => {
  const gone = one.state === 'removed';
  const act = (key, event, data, then) => button(`link act-${key}`, t(key), click => { if (!then) labse.hold(click.target); trigger(event, data); then?.(); }, { 'aria-label': `${t(key)}: ${one.title}` });
  const data = { collection: props.value.collection, document: one.document };
  const actions = el('span', 'doc-actions', null, {}, ...(gone ? [act('undo', 'restore', data)]
    : [act('only_here', 'only', data, () => labse.goTo('tab_search')), act('reindex', 'reindex', data), act('remove', 'remove', data)]));
  const name = el('th', 'doc-name', null, { scope: 'row' }, el('bdi', 'title', one.title));
  if (one.folder) name.append(el('bdi', 'folder', one.folder));
  if (one.names.length > 1) name.append(el('bdi', 'folder', t('other_names', { names: one.names.slice(1).join(', ') })));
  name.append(actions);
  const langs = el('td', 'doc-languages');
  one.languages.slice(0, 3).forEach(([code]) => langs.append(el('span', 'chip', language(code))));
  if (one.languages.length > 3) langs.append(el('span', 'subdued', t('and_more', { n: one.languages.length - 3 })));
  return el('tr', gone ? 'gone' : null, null, { 'data-document': one.document }, name, langs,
    el('td', 'number', gone ? '' : number(one.segments)), el('td', 'doc-added', date(one.added)), status(one));
};
// At first what lost something on its way in; where nothing did, the names.
const order = { losses: one => one.losses ? [1, -one.embedded / (one.characters || 1)] : [0, 0], name: one => one.names[0].toLowerCase(), passages: one => one.segments, added: one => one.added };
const table = value => {
  const part = wanted.toLocaleLowerCase();
  const found = value.documents.filter(one => !part || one.names.some(name => name.toLocaleLowerCase().includes(part)));
  const by = order[sorted];
  const compare = (a, b) => { for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return a[i] < b[i] ? -1 : 1; return 0; };
  const key = one => { const value = by(one); return Array.isArray(value) ? value : [value]; };
  found.sort((a, b) => compare(key(a), key(b)) * (down ? -1 : 1) || compare([order.name(a)], [order.name(b)]));
  const box = el('div', 'table-box');
  if (!found.length) { box.append(el('p', 'empty', t(value.documents.length ? 'no_documents_like' : 'no_documents'))); return box; }
  const head = (key, label, cls) => {
    const cell = el('th', cls, null, { scope: 'col', 'aria-sort': sorted === key ? (down ? 'descending' : 'ascending') : null });
    cell.append(key ? button('sort', label, () => { if (sorted === key) down = !down; else { sorted = key; down = key !== 'name'; } refresh(); }) : label);
    return cell;
  };
  const body = el('tbody');
  body.append(...found.slice(0, shown).map(row));
  box.append(el('table', null, null, {}, el('thead', null, null, {}, el('tr', null, null, {}, head('name', t('title')), head('', t('column_languages')), head('passages', t('column_passages'), 'number'), head('added', t('added')), head('losses', t('status')))), body));
  if (found.length > shown) box.append(button('secondary show-more', t('show_more', { n: Math.min(PAGE, found.length - shown) }), () => { shown += PAGE; refresh(); }));
  return box;
};
const refresh = () => { root.querySelector('.table-box')?.replaceWith(table(props.value)); };
const draw = () => {
  const value = props.value;
  if (!value?.documents) return;
  labse.release(root);
  const now = JSON.stringify({ ...value, nonce: 0 });
  if (now === last) return;
  last = now;
  const nodes = [];
  if (value.message) nodes.push(el('p', 'notice error', value.message, { role: 'alert' }));
  if (value.problems?.length) nodes.push(problems(value));
  if (value.checked && !value.problems.length) nodes.push(el('p', 'notice', t('all_whole'), { role: 'status' }));
  if (value.languages.length) nodes.push(...charts(value));
  const find = el('input', 'find', null, { type: 'search', placeholder: t('find_document'), 'aria-label': t('find_document') });
  find.value = wanted;
  find.addEventListener('input', () => { wanted = find.value; shown = PAGE; refresh(); });
  const whole = button('link check', t('check_whole'), event => { labse.hold(event.target, t('checking_whole')); trigger('check'); });
  const all = button('link reindex-all', t('reindex_all'), event => {
    if (!window.confirm(t('reindex_sure', { documents: t('documents', { n: value.documents.length + value.more }) }))) return;
    labse.hold(event.target); trigger('reindex', { collection: value.collection, document: '' });
  });
  const forget = button('link act-remove', t('forget_removed'), event => {
    if (window.confirm(t('forget_sure', { documents: t('documents', { n: value.removed }) }))) { labse.hold(event.target); trigger('forget', { collection: value.collection }); }
  });
  nodes.push(el('section', null, null, {}, el('div', 'list-head', null, {}, el('h2', null, t('document_list')), value.documents.length ? all : null, value.documents.length ? whole : null, value.removed ? forget : null, find), value.more ? el('p', 'subdued', t('more_documents', { n: value.more })) : null, table(value)));
  const typing = root.contains(document.activeElement) && document.activeElement?.classList.contains('find');
  root.replaceChildren(...nodes);
  if (typing) root.querySelector('.find').focus();
};
// The list follows what is indexed while somebody looks at it.
const onStatus = () => { if (root.offsetParent) trigger('refresh'); };
if (labse.collectionOff) labse.collectionOff();
window.addEventListener('labse-status', onStatus);
labse.collectionOff = () => window.removeEventListener('labse-status', onStatus);
watch('value', draw);
draw();
