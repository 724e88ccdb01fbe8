import type { Command, Option } from "commander";
import { examplesOf, wordsOf } from "../examples.js";

/** What a page says beside what the commands say themselves. */
export interface ManPage {
  readonly command: Command;
  /** 8: for administrators. */
  readonly section: number;
  /** Other names of the program. */
  readonly aliases?: readonly string[];
  readonly examples?: readonly string[];
  readonly files?: readonly (readonly [string, string])[];
  readonly seeAlso?: readonly string[];
  /** Variable and meaning. Default: those that every program heeds that looks for a cluster. */
  readonly environment?: readonly (readonly [string, string])[];
  /** The exit status that is not 0. */
  readonly failure?: string;
  readonly signals?: readonly (readonly [string, string])[];
}

/** What programs on a host that has a cluster heed. */
export const HOST_ENVIRONMENT: readonly (readonly [string, string])[] = [
  ["PSTORAGE_ROOT", "The directory that stands for / in all paths of this host (default: /)."],
  [
    "PSTORAGE_DISCOVERY",
    "How clusters are found that no bs.list names: dns,mdns (default), dns, mdns or none.",
  ],
];
const ENVIRONMENT: readonly (readonly [string, string])[] = [
  ["PSTORAGE_NAME", "Name of the cluster, where -c does not say it."],
  ...HOST_ENVIRONMENT,
];

/** A page for man(1), from the definitions that parse the arguments: man-pages(7), groff_man(7). */
export function manPage(page: ManPage): string {
  const { command, section, aliases = [], examples = [], files = [], seeAlso = [] } = page;
  const { environment = ENVIRONMENT, signals = [], failure = "1 if something failed" } = page;
  const name = command.name();
  const leaves = leavesOf(command);
  return [
    `.TH ${name.toUpperCase()} ${section} "" pstorage "pstorage manual"`,
    ".SH NAME",
    `${[name, ...aliases].map(escaped).join(", ")} \\- ${escaped(firstSentence(command.description()))}`,
    ".SH SYNOPSIS",
    ...(leaves.length === 0
      ? synopsis(command, name)
      : [`.B ${escaped(name)}`, "[\\fIoptions\\fR] \\fIcommand\\fR ..."]),
    ".SH DESCRIPTION",
    escaped(command.description()),
    ...section_("OPTIONS", optionLines(command)),
    ...section_("COMMANDS", leaves.flatMap(commandLines)),
    ...section_("SIGNALS", signals.flatMap(termLines("B"))),
    ...section_("ENVIRONMENT", environment.flatMap(termLines("B"))),
    ...section_("FILES", files.flatMap(termLines("I"))),
    ".SH EXIT STATUS",
    `0 if all went well; ${failure}, with one line on standard error that says what.`,
    ...section_("EXAMPLES", examples.flatMap(exampleLines)),
    ...section_(
      "SEE ALSO",
      seeAlso.length === 0 ? [] : [seeAlso.map((other) => `.BR ${other}`).join(" ,\n")],
    ),
    "",
  ].join("\n");
}

/** The commands that do something, below a program. */
export function leavesOf(command: Command): Command[] {
  return command.commands
    .filter((child) => child.name() !== "help")
    .flatMap((child) => (child.commands.length === 0 ? [child] : leavesOf(child)));
}

function section_(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : [`.SH ${title}`, ...lines];
}

function commandLines(command: Command): string[] {
  const examples = examplesOf(command).map((line) => `pstorage ${line}`);
  return [
    ".SS",
    ...synopsis(command, wordsOf(command).join(" ")),
    ".PP",
    escaped(capital(command.description())),
    ...optionLines(command),
    ...examples.flatMap(exampleLines),
  ];
}

function synopsis(command: Command, words: string): string[] {
  const parts = command.registeredArguments.map((argument) => {
    const shown = `\\fI${escaped(argument.name())}\\fR${argument.variadic ? "..." : ""}`;
    return argument.required ? shown : `[${shown}]`;
  });
  const options = command.options.length === 0 ? [] : ["[\\fIoptions\\fR]"];
  return [`.B ${escaped(words)}`, ...[[...options, ...parts].join(" ")].filter((text) => text !== "")];
}

function optionLines(command: Command): string[] {
  return command.options
    .filter((option) => !option.hidden)
    .flatMap((option) => [".TP", `.B ${escaped(option.flags)}`, escaped(describe(option))]);
}

function describe({ description, defaultValue }: Option): string {
  const isTold = description.includes("default") || typeof defaultValue !== "string";
  return capital(isTold ? description : `${description} (default: ${defaultValue})`);
}

/** A term in that face, and below it what it means. */
function termLines(face: "B" | "I"): (pair: readonly [string, string]) => string[] {
  return ([term, meaning]) => [".TP", `.${face} ${escaped(term)}`, escaped(meaning)];
}

function exampleLines(line: string): string[] {
  return [".PP", ".RS", ".nf", escaped(line), ".fi", ".RE"];
}

/** `-` is a minus that can be searched for and copied, a dot in front begins a request. */
function escaped(text: string): string {
  const safe = text
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replaceAll("'", "\\(aq")
    .replaceAll("\n", " ");
  return /^[.]/.test(safe) ? `\\&${safe}` : safe;
}

function firstSentence(text: string): string {
  return (/^(.*?)[.;:](\s|$)/.exec(text)?.[1] ?? text).replace(/^\w/, (letter) => letter.toLowerCase());
}

const capital = (text: string): string => text.replace(/^[a-z]/, (letter) => letter.toUpperCase());
