// Name of the app, which collection, how much is in it, whether it is working. Event to Python: 'pick' {collection}.
const { el, t, number } = labse;
const root = element.querySelector('.head');
let drawn = '';
let heard = Date.now();

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
  heard = Date.now();
  const value = props.value || {};
  const next = JSON.stringify({ ...value, beat: 0 }); // the beat alone changes nothing on the screen
  if (next === drawn || !value.collections) return;
  if (root.contains(document.activeElement) && document.activeElement.tagName === 'SELECT' && drawn) return;
  drawn = next;
  window.dispatchEvent(new CustomEvent('labse-status', { detail: value }));
  const counts = value.passages
    ? `${t('passages', { n: value.passages })} · ${t('languages', { n: value.languages })} · ${t('documents', { n: value.documents })}`
    : t('empty_collection');
  const state = value.problem ? 'bad' : value.indexing ? 'busy' : 'good';
  const words = value.problem || (value.indexing ? t('indexing', value.indexing) : t('ready'));
  root.replaceChildren(
    el('div', 'brand', null, {}, el('h1', null, t('app')), el('p', 'tagline', t('tagline'))),
    el('div', 'where', null, {}, el('div', 'where-row', null, {},
      el('span', `status ${state}`, null, { role: 'status' }, el('span', 'dot', null, { 'aria-hidden': 'true' }), el('span', null, words)), picker(value)),
      el('span', 'counts', counts)));
};
watch('value', draw);
draw();
if (labse.headerTimer) clearInterval(labse.headerTimer);
labse.headerTimer = setInterval(() => {
  if (Date.now() - heard < 15000) return;
  const status = root.querySelector('.status');
  if (status) { status.className = 'status bad'; status.lastChild.textContent = t('offline'); drawn = ''; }
}, 5000);
