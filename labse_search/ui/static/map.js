// @ts-check
// The map of the collection: what there is of it, and the job that makes it. What draws it (draw-map.js) is fetched when
// it is looked at. Events to Python: 'make' {anew}, 'request' {job, action}, 'look'.
const { el, t, button, number } = labse;
const root = element.querySelector('.map-part');
const head = el('section', 'map-head'), body = el('div');
root.append(head, body);
let last = '', drawn = '';

const fetched = () => (labse.mapScript ||= new Promise((done, failed) => {
  frame.append(el('link', null, null, { rel: 'stylesheet', href: 'map/draw.css' }));
  const script = el('script', null, null, { src: 'map/draw.js' });
  script.addEventListener('load', done);
  script.addEventListener('error', () => { labse.mapScript = null; failed(Error('map/draw.js')); });
  frame.append(script);
}));
const frame = document.head;
const wrong = message => el('p', 'notice error', message, { role: 'alert' });
const ask = (key, anew, cls = 'secondary') => button(`${cls} ${key}`, t(key), event => { labse.hold(event.target); trigger('make', { anew: anew ? 'yes' : '' }); });
const job = one => {
  const node = labse.jobLine(one, t('map_running'), { at: one.files_done, of: one.files, words: '' }, action => trigger('request', { job: one.id, action }));
  node.querySelector('.pause')?.remove(); // it would begin again: a map takes minutes, and there is nothing to keep
  return node;
};
const news = map => {
  const nodes = [];
  if (map.generation) nodes.push(t('map_generation'));
  else {
    if (map.added) nodes.push(t('map_added', { n: map.added }));
    if (map.gone) nodes.push(t('map_gone', { n: map.gone }));
    if (map.much) nodes.push(t('map_much'));
  }
  if (map.shown < map.all) nodes.push(t('map_sample', { shown: map.shown, all: map.all }));
  const fresh = !map.generation && (map.added || map.gone);
  return [nodes.length ? el('p', 'subdued', nodes.join(' ')) : null,
    el('div', 'buttons', null, {}, fresh ? ask('map_update', false, map.much ? 'secondary' : 'primary') : null, ask('map_anew', true, map.much || map.generation ? 'primary' : 'link'))];
};
const draw = async () => {
  const value = props.value;
  if (!value?.collection) return;
  labse.release(root);
  const map = value.map, now = JSON.stringify([value.collection, value.job, value.few, map, value.message]);
  if (now !== last) {
    last = now;
    const working = value.job && value.job.state !== 'failed';
    head.replaceChildren(...[el('h2', null, t('map_title')), el('p', 'subdued', t('map_intro')), value.message ? wrong(value.message) : null,
      value.job ? job(value.job) : null, ...(working ? [] : map ? news(map) : value.few ? [el('p', 'empty', t('map_few', { least: value.least }))]
        : 'few' in value ? [el('div', 'buttons', null, {}, ask('map_make', true, 'primary'))] : [])].filter(Boolean));
  }
  const wanted = map && !map.generation ? `${value.collection}\n${map.stamp}` : '';
  if (!wanted) { body.replaceChildren(); drawn = ''; return; }
  if (wanted === drawn || !root.offsetParent) return;
  drawn = wanted;
  body.replaceChildren(el('p', 'subdued', '…', { role: 'status' }));
  try {
    await fetched();
    if (drawn === wanted) await labse.drawMap(body, value.collection, map.stamp);
  } catch (/** @type {any} */ error) {
    if (drawn === wanted) { body.replaceChildren(wrong(error.told || t('map_failed'))); drawn = ''; }
  }
};
watch('value', draw);
draw();
// What was added or removed meanwhile is told while somebody looks at the map; not at every step of a job.
const onStatus = event => { if (root.offsetParent && !event.detail.indexing) trigger('look'); };
if (labse.mapPartOff) labse.mapPartOff();
window.addEventListener('labse-status', onStatus);
labse.mapPartOff = () => window.removeEventListener('labse-status', onStatus);
if (labse.mapTimer) clearInterval(labse.mapTimer);
labse.mapTimer = setInterval(() => { if (root.offsetParent && ['queued', 'running'].includes(props.value?.job?.state)) trigger('look'); }, 1000);
