#!/usr/bin/env node
import "../dist/mount/main.js";
