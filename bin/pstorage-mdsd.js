#!/usr/bin/env node
import "../dist/cli/mdsd-service.js";
