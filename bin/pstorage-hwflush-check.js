#!/usr/bin/env node
import "../dist/cli/flush-check-service.js";
