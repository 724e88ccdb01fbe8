#!/usr/bin/env node
import "../dist/cli/mount-service.js";
