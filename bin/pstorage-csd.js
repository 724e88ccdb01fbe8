#!/usr/bin/env node
import "../dist/cli/csd-service.js";
