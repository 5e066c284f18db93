// @ts-check
// Name of the app, which collection, how much is in it, whether it is working. Events to Python: 'pick' {collection},
// 'go' {address} after Back and Forward.
const { el, t } = labse;
const root = element.querySelector('.head');
const state = el('span', 'status', null, { role: 'status' }), counts = el('span', 'counts');
const row = el('div', 'where-row', null, {}, state);
let drawn = '', offered = '', pick = null;
let value = props.value || {};

const picker = () => {
  const select = el('select', 'pick', null, { 'aria-label': t('collection') });
  for (const name of value.collections) {
    const option = el('option', null, name, { value: name });
    option.selected = name === value.collection;
    select.append(option);
  }
  const another = el('option', null, t('new_collection'), { value: '' });
  select.append(another);
  select.addEventListener('change', () => {
    let name = select.value;
    if (!name) {
      name = (window.prompt(t('new_collection_name')) || '').trim();
      if (!name) { select.value = value.collection; return; }
      another.before(el('option', null, name, { value: name }));
      select.value = name;
    }
    trigger('pick', { collection: name });
  });
  select.addEventListener('blur', () => setTimeout(drawPicker, 0));
  return select;
};
// Left alone while it has the focus: its list may be open, and another one in its place would be without the focus.
const drawPicker = () => {
  const now = JSON.stringify([value.collections, value.collection]);
  if (now === offered || (pick && pick === document.activeElement)) return;
  offered = now;
  const fresh = picker();
  if (pick) pick.replaceWith(fresh); else row.append(fresh);
  pick = fresh;
};
const draw = () => {
  const gone = labse.feed.gone, next = JSON.stringify([value, gone]);
  if (next === drawn || !value.collections) return;
  drawn = next;
  window.labseCollection = value.usual;
  labse.feed.follow(value.collection);
  counts.textContent = value.passages
    ? `${t('passages', { n: value.passages })} · ${t('languages', { n: value.languages })} · ${t('documents', { n: value.documents })}`
    : t('empty_collection');
  const words = gone ? t('offline') : value.problem || (value.indexing ? t('indexing', value.indexing) : t('ready'));
  state.className = `status ${gone || value.problem ? 'bad' : value.indexing ? 'busy' : 'good'}`;
  state.replaceChildren(el('span', 'dot', null, { 'aria-hidden': 'true' }), el('span', null, words));
  if (!root.contains(row)) root.replaceChildren(
    el('div', 'brand', null, {}, el('h1', null, t('app')), el('p', 'tagline', t('tagline'))), el('div', 'where', null, {}, row, counts));
  drawPicker();
  window.dispatchEvent(new CustomEvent('labse-status', { detail: value }));
};
watch('value', () => { value = props.value || {}; draw(); });
draw();
if (labse.headerOff) labse.headerOff();
const onFeed = event => { if (event.detail.header && event.detail.collection === value.collection) { value = event.detail.header; draw(); } };
const onAddress = event => { if (event.detail?.search) trigger('go', { address: location.search.slice(1) }); };
const onPick = event => trigger('pick', { collection: event.detail });
const events = { 'labse-address': onAddress, 'labse-pick': onPick, 'labse-feed': onFeed, 'labse-gone': draw, 'labse-back': draw };
for (const name in events) window.addEventListener(name, events[name]);
labse.headerOff = () => { for (const name in events) window.removeEventListener(name, events[name]); };
setTimeout(labse.firstTab, 0);
