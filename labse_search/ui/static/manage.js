// @ts-check
// Whole collections and the whole library. Events to Python: 'rename' {collection, name}, 'merge' {name, into}, 'erase' {name}, 'backup'
// {models}, 'delete_backup' {name}, 'bring' {name} or {place}, 'request' {job, action}, 'shown' when another collection
// was opened or a job has changed.
const { el, t, button, bytes } = labse;
const root = element.querySelector('.whole');
let withModels = true, last = ''; // the collection that was drawn last

const work = (key, event, data, cls = 'secondary', about = '') => button(cls, t(key), click => {
  const given = data();
  if (!given) return;
  labse.hold(click.target, t('manage_working'));
  trigger(event, given);
}, about ? { 'aria-label': `${t(key)}: ${about}` } : {});
const field = (key, id) => el('input', 'find', null, { id, type: 'text', placeholder: t(key), 'aria-label': t(key), spellcheck: 'false', autocomplete: 'off', dir: 'auto' });
const this_one = value => {
  const box = el('section', 'manage', null, {}, el('h2', null, t('manage_title')));
  const name = field('manage_new_name', 'labse-new-name');
  box.append(el('div', 'embed-row', null, {}, name, work('manage_rename', 'rename', () => name.value.trim() && { collection: value.collection, name: name.value.trim() })));
  if (value.others.length) {
    const into = el('select', 'pick', null, { 'aria-label': t('manage_into') });
    for (const one of value.others) into.append(el('option', null, one, { value: one }));
    const sure = () => window.confirm(t('manage_merge_sure', { name: value.collection, into: into.value })) && { name: value.collection, into: into.value };
    box.append(el('div', 'embed-row', null, {}, el('span', 'subdued', t('manage_into')), into, work('manage_merge', 'merge', sure)));
  }
  const link = `passages/${encodeURIComponent(value.collection)}.jsonl`;
  box.append(el('div', 'embed-row', null, {}, el('a', 'link', t('manage_export'), { href: link, download: '' }),
    work('erase', 'erase', () => window.confirm(t('erase_sure', { name: value.collection, documents: t('documents', { n: value.documents }) })) && { name: value.collection }, 'link act-remove')));
  return box;
};
const RUNNING = { backup: 'keep_backing', restore: 'keep_bringing' };
const job = one => labse.jobLine(one, t(RUNNING[one.kind]), { at: one.share, of: 1, words: [t(RUNNING[one.kind]), one.file].join(' · ') },
  action => trigger('request', { job: one.id, action }));
const backups = value => {
  const box = el('section', 'manage', null, {}, el('h2', null, t('manage_backup_title')), el('p', 'subdued', t('manage_backup_note')));
  const models = el('input', null, null, { type: 'checkbox', id: 'labse-backup-models' });
  models.checked = withModels;
  models.addEventListener('change', () => { withModels = models.checked; });
  const row = el('div', 'embed-row', null, {}, work('manage_backup', 'backup', () => ({ models: models.checked ? 'yes' : 'no' })));
  if (value.weights) row.append(el('label', 'subdued', null, {}, models, ` ${t('manage_backup_models', { size: bytes(value.weights) })}`));
  box.append(row, ...value.jobs.map(job));
  const list = el('ul', 'backups');
  for (const one of value.backups) list.append(el('li', null, null, {}, el('a', 'link', one.name, { href: `backup/${one.name}`, download: '' }), el('span', 'subdued number', bytes(one.bytes)),
    work('manage_restore', 'bring', () => ({ name: one.name }), 'link', one.name),
    work('manage_backup_delete', 'delete_backup', () => window.confirm(t('manage_backup_sure', { name: one.name })) && { name: one.name }, 'link act-remove', one.name)));
  if (value.backups.length) box.append(list);
  if (value.local) {
    const place = field('manage_restore_path', 'labse-backup');
    box.append(el('div', 'embed-row', null, {}, place, work('manage_restore', 'bring', () => place.value.trim() && { place: place.value.trim() })));
  }
  return box;
};
const draw = () => {
  const value = props.value;
  if (!value?.collection) return;
  labse.release(root);
  if (value.erased) { location.href = location.pathname; return; }
  const nodes = [];
  if (value.message) nodes.push(el('p', 'notice error', value.message, { role: 'alert' }));
  if (value.there) nodes.push(this_one(value));
  if (value.backups) nodes.push(backups(value));
  const held = root.contains(document.activeElement) ? document.activeElement?.closest('[data-job] button')?.textContent || document.activeElement?.id : '';
  const into = value.collection === last ? root.querySelector('select')?.value : '';
  const typed = [...root.querySelectorAll('input[type=text]')].map(one => [one.id, one.value]);
  root.replaceChildren(...nodes);
  last = value.collection;
  const choice = root.querySelector('select');
  if (into && value.others?.includes(into) && choice) choice.value = into; // else the first one would be merged into
  for (const [id, words] of typed) if (words && !value.to && document.getElementById(id)) /** @type {HTMLInputElement} */ (document.getElementById(id)).value = words;
  if (held) (document.getElementById(held) || [...root.querySelectorAll('[data-job] button')].find(one => one.textContent === held) || root.querySelector('[data-job]'))?.focus();
};
// Renamed, or merged into another one: the page goes there. Only as the answer comes in, and not when it is drawn again.
const follow = () => { if (props.value?.to) window.dispatchEvent(new CustomEvent('labse-pick', { detail: props.value.to })); };
watch('value', () => { draw(); follow(); });
draw();
if (labse.manageOff) labse.manageOff();
const onStatus = event => { if (root.offsetParent && props.value?.collection && event.detail.collection !== props.value.collection) trigger('shown'); };
const onFeed = event => { if (event.detail.works && root.offsetParent && props.value?.collection) trigger('shown'); };
window.addEventListener('labse-status', onStatus);
window.addEventListener('labse-feed', onFeed);
labse.manageOff = () => { window.removeEventListener('labse-status', onStatus); window.removeEventListener('labse-feed', onFeed); };
