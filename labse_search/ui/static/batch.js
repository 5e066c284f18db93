// @ts-check
// Many questions at once: a table goes in, the best passages for each come out. Events to Python: 'take_in' {files},
// 'request' {job, action}, 'look'.
const { el, t, button, number, date } = labse;
const root = element.querySelector('.batch');
let last = '';

const picker = () => {
  const input = el('input', 'visually-hidden', null, { type: 'file', accept: '.csv,.tsv,.txt' });
  input.addEventListener('change', async () => {
    const file = input.files?.[0];
    if (!file) return;
    const address = new URL('upload', document.baseURI);
    address.searchParams.set('sizes', String(file.size));
    let names = null;
    try { const answer = await fetch(address, { method: 'POST', body: file }); names = answer.ok ? await answer.json() : null; } catch (error) { names = null; }
    trigger('take_in', { files: [{ upload: names?.[0] || '', name: file.name }] });
    input.value = '';
  });
  return el('label', 'secondary', t('batch_choose'), {}, input);
};
const line = job => {
  const words = ['queued', 'running', 'paused'].includes(job.state) ? `${number(job.files_done)} / ${t('batch_questions', { n: job.files })}` : `${t('batch_questions', { n: job.files_done })} · ${date(job.created)}`;
  const node = labse.jobLine(job, t('batch_running'), { at: job.files_done, of: job.files, words }, action => trigger('request', { job: job.id, action }));
  if (job.files_done) node.append(el('p', 'batch-save', null, {}, ...['csv', 'json'].flatMap(kind => [el('a', 'link', t(`export_${kind}`), { href: `answers/${job.id}.${kind}`, download: '' }), ' '])));
  return node;
};
const draw = () => {
  const value = props.value;
  if (!value?.jobs) return;
  labse.release(root);
  const now = JSON.stringify([value.jobs, value.message]);
  if (now === last) return;
  last = now;
  root.replaceChildren(el('h2', null, t('batch_title')), el('p', 'note', t('batch_intro')), el('div', 'buttons', null, {}, picker()),
    ...(value.message ? [el('p', 'notice error', value.message, { role: 'alert' })] : []), ...value.jobs.map(line));
};
watch('value', draw);
draw();
if (labse.batchTimer) clearInterval(labse.batchTimer);
labse.batchTimer = setInterval(() => { if (root.offsetParent && props.value?.jobs?.some(job => ['queued', 'running'].includes(job.state))) trigger('look'); }, 1000);
