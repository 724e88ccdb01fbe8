#!/usr/bin/env node
import "../dist/mds/main.js";
