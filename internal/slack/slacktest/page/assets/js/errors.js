// errors.js puts refusals into the words that Slack has for them.

const COMMAND = {
  operation_timeout: (command) => `\`${command}\` failed because the app did not respond in time. Try it again, or look whether the app runs.`,
  not_connected: (command) => `\`${command}\` failed because the app is not connected to Slack.`,
  channel_not_found: (command) => `\`${command}\` failed because this channel is not there for you.`,
  unreachable: () => "We had some trouble connecting. Is the workspace still running?",
};
COMMAND.timeout = COMMAND.operation_timeout;
COMMAND.app_not_connected = COMMAND.not_connected;

/** commandError says why a slash command came to nothing. */
export function commandError(command, error) {
  return (COMMAND[error] ?? (() => `\`${command}\` failed with the error \`${error}\`.`))(command);
}

/** unknownCommand is what Slackbot says of a command that no app has. */
export const unknownCommand = (command) =>
  `\`${command}\` is not a valid command. In Slack, all messages that start with the "/" character are interpreted as commands.\n` +
  'If you are trying to send a message and not run a command, try preceding the "/" with an empty space.';

/** commandInThread is what Slackbot says of a slash command typed in a thread. */
export const commandInThread = (command, bot) => `\`${command}\` is not supported in threads. Sorry! Mention the app here instead: \`@${bot} …\``;

const CLICK = {
  operation_timeout: "This app did not respond in time. Try again, or look whether the app runs.",
  no_such_action: "This message has changed meanwhile. Look at it again.",
  message_not_found: "This message is gone.",
  not_found: "This dialog is gone.",
  unreachable: "We had some trouble connecting. Is the workspace still running?",
};
CLICK.timeout = CLICK.operation_timeout;

/** clickError says why a press on an element, or a submission, came to nothing. */
export const clickError = (error) => CLICK[error] ?? `This app responded with an error (${error}).`;
