// One case a run: `node run.mjs CASE URL`.

import * as cases from "./sdk.mjs";

console.log(JSON.stringify((await cases[process.argv[2]]()) ?? {}));
