// Takes over what the repository keeps elsewhere: the types of the router, which are generated, and the licence.
import { copyFileSync } from 'node:fs';

const at = (path) => new URL(`../${path}`, import.meta.url);
copyFileSync(at('../../openapi/router.ts'), at('src/router.ts'));
copyFileSync(at('../../LICENSE'), at('LICENSE'));
