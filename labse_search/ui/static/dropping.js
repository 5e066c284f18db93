// @ts-check
// Files dropped anywhere on the page: their entries are walked, the tab is opened, and drop.js takes them from
// labse.dropped, a list of lists of [file, name with folders]; of what cannot be read, such as a link that leads nowhere,
// the file is null.
(() => {
  labse.dropped = [];
  const walk = async (entry, above = '') => {
    if (entry.isFile) return [[await new Promise(resolve => entry.file(resolve, () => resolve(null))), above + entry.name]];
    const reader = entry.createReader(), found = [];
    for (;;) {
      const some = await new Promise(resolve => reader.readEntries(resolve, () => resolve(null)));
      if (!some) found.push([null, above + entry.name]);
      if (!some?.length) return found;
      for (const one of some) found.push(...await walk(one, `${above}${entry.name}/`));
    }
  };
  const hasFiles = event => [...(event.dataTransfer?.types || [])].includes('Files');
  let depth = 0;
  const over = on => { if (on) document.documentElement.dataset.dropping = labse.t('drop_anywhere'); else delete document.documentElement.dataset.dropping; };
  window.addEventListener('dragenter', event => { if (hasFiles(event)) { depth++; over(true); } });
  window.addEventListener('dragleave', event => { if (hasFiles(event) && --depth <= 0) { depth = 0; over(false); } });
  window.addEventListener('dragover', event => { event.preventDefault(); if (event.dataTransfer && hasFiles(event)) event.dataTransfer.dropEffect = 'copy'; });
  window.addEventListener('drop', async event => {
    event.preventDefault(); // else the browser opens the file in the place of the page
    depth = 0; over(false);
    if (!hasFiles(event)) return;
    const data = /** @type {DataTransfer} */ (event.dataTransfer);
    const entries = [...data.items].map(item => item.webkitGetAsEntry && item.webkitGetAsEntry()).filter(Boolean);
    const plain = [...data.files].map(file => /** @type {[File, string]} */ ([file, file.name]));
    const list = [];
    for (const entry of entries) list.push(...await walk(entry));
    labse.go({ view: '', align: '' }); // a reader that is open closes with the address
    document.querySelector('dialog[open]')?.close();
    labse.goTo('tab_add');
    labse.dropped.push(list.length ? list : plain);
    window.dispatchEvent(new Event('labse-dropped'));
  });
})();
