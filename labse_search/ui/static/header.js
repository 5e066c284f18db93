// @ts-check
// Name of the app, which collection, how much is in it, whether it is working. Events to Python: 'pick' {collection},
// 'go' {address} after Back and Forward.
const { el, t, number } = labse;
const root = element.querySelector('.head');
let drawn = '';
let value = props.value || {};

const picker = value => {
  const select = el('select', 'pick', null, { 'aria-label': t('collection') });
  for (const name of value.collections) {
    const option = el('option', null, name, { value: name });
    option.selected = name === value.collection;
    select.append(option);
  }
  select.append(el('option', null, t('new_collection'), { value: '' }));
  select.addEventListener('change', () => {
    let name = select.value;
    if (!name) name = (window.prompt(t('new_collection_name')) || '').trim();
    if (!name) { select.value = value.collection; return; }
    trigger('pick', { collection: name });
  });
  return select;
};
const draw = () => {
  const gone = labse.feed.gone, next = JSON.stringify([value, gone]);
  if (next === drawn || !value.collections) return;
  if (root.contains(document.activeElement) && document.activeElement?.tagName === 'SELECT' && drawn) return;
  drawn = next;
  window.labseCollection = value.usual;
  labse.feed.follow(value.collection);
  window.dispatchEvent(new CustomEvent('labse-status', { detail: value }));
  const counts = value.passages
    ? `${t('passages', { n: value.passages })} · ${t('languages', { n: value.languages })} · ${t('documents', { n: value.documents })}`
    : t('empty_collection');
  const state = gone || value.problem ? 'bad' : value.indexing ? 'busy' : 'good';
  const words = gone ? t('offline') : value.problem || (value.indexing ? t('indexing', value.indexing) : t('ready'));
  root.replaceChildren(
    el('div', 'brand', null, {}, el('h1', null, t('app')), el('p', 'tagline', t('tagline'))),
    el('div', 'where', null, {}, el('div', 'where-row', null, {},
      el('span', `status ${state}`, null, { role: 'status' }, el('span', 'dot', null, { 'aria-hidden': 'true' }), el('span', null, words)), picker(value)),
      el('span', 'counts', counts)));
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
