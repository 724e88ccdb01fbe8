/** `npm run build`: builds whatever the age of what is there. */
import { build, install } from "./setup.mjs";

install();
build({ force: true });
