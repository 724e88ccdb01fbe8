#!/usr/bin/env node
import "../dist/cli/report-service.js";
