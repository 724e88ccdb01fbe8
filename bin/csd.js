#!/usr/bin/env node
import "../dist/cs/main.js";
