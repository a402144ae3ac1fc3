// Runs before the first paint, so that a dark room is not lit up for a moment.

import { applyTheme } from "./theme-store.ts";

applyTheme();
