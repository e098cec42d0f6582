// One case a run: `node run.mjs MODULE CASE URL`. What each says must have been asked is looked at by looked.py.

const [module, name, url] = process.argv.slice(2);
const cases = await import(`./${module}.mjs`);
console.log("\n" + JSON.stringify(await cases[name](url)));
