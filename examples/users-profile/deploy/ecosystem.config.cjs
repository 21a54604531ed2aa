// pm2 start deploy/ecosystem.config.cjs, from the folder above
module.exports = {
  apps: [
    {
      name: 'users-profile',
      script: 'dist/main.js',
      exec_mode: 'fork',
      // The primary counts the CPUs of its control group, and keeps the workers.
      instances: 1,
      env: { NODE_ENV: 'production' },
      // Above drain.timeoutMs.
      kill_timeout: 40_000,
      // A wrong configuration does not mend itself.
      stop_exit_codes: [78],
      treekill: false,
    },
  ],
}
