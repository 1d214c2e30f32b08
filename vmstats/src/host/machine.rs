//! A VM whose files the host has.
//!
//! In: statements of its VMM, with files that were inspected. Out: a monitor that answers
//! from the files. This file knows no connection.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use qapi_stats::stats::StatsProvider;
use stats_handover::receive::Statement;
use stats_runtime::host::{Host, HostState};
use stats_runtime::kvm::{KvmProvider, ObjectFiles};
use stats_runtime::{Monitor, Registration, Registry};

use super::inspector::Claim;

/// The largest number of files of one VM.
pub(super) const FILES_MAX: usize = 8192;

/// The largest number of providers that one VM adds to those of KVM.
const PROVIDERS_MAX: usize = 64;

/// A VM, its providers and what its monitor says of it.
#[derive(Debug)]
pub(super) struct Machine {
    /// The name, the UUID and all else that is not a statistic.
    state: HostState,
    registry: Registry,
    kvm: KvmProvider,
    has_vm: bool,
    /// The QOM paths of the vCPUs by their indexes.
    vcpus: BTreeMap<u64, String>,
    /// The other components, by the names of their providers.
    objects: BTreeMap<String, ObjectFiles>,
    process: Option<OwnedFd>,
}

impl Machine {
    /// Makes a VM without files. VMs share the layouts of `template`.
    ///
    /// # Errors
    ///
    /// Returns an error if the registry refuses the provider.
    pub(super) fn new(template: &KvmProvider) -> Result<Self, String> {
        let kvm = template.for_another_vm();
        let registry = Registry::new();
        registry
            .register(StatsProvider::Kvm, kvm.clone())
            .map_err(|error| error.to_string())?;
        Ok(Self {
            state: HostState::new(),
            registry,
            kvm,
            has_vm: false,
            vcpus: BTreeMap::new(),
            objects: BTreeMap::new(),
            process: None,
        })
    }

    /// Returns the VM's name.
    pub(super) fn name(&self) -> Option<String> {
        self.state.name()
    }

    /// Returns the number of files.
    pub(super) fn files(&self) -> usize {
        let objects = self.objects.values().map(ObjectFiles::len).sum::<usize>();
        usize::from(self.has_vm) + self.vcpus.len() + objects
    }

    /// Takes the descriptor of the process that an adopter named. Returns `None` without one.
    pub(super) fn take_process(&mut self) -> Option<OwnedFd> {
        self.process.take()
    }

    /// Returns the monitor that answers for the VM.
    pub(super) fn monitor(&self) -> Monitor {
        Monitor::new(self.registry.clone(), self.state.clone())
    }

    /// Applies the statements of a packet, with the packet's files.
    ///
    /// # Errors
    ///
    /// Returns the reason why a statement is refused. The statements before it stay
    /// applied, so the caller drops the VM.
    pub(super) fn apply(
        &mut self,
        statements: &[Statement<'_>],
        files: Vec<(Claim, OwnedFd)>,
    ) -> Result<(), String> {
        let mut files = Files(files.into_iter().map(Some).collect());
        for statement in statements {
            self.apply_one(*statement, &mut files)?;
            if self.files() > FILES_MAX {
                return Err(format!("a VM may have at most {FILES_MAX} files"));
            }
        }
        Ok(())
    }

    fn apply_one(&mut self, statement: Statement<'_>, files: &mut Files) -> Result<(), String> {
        match statement {
            Statement::Name(name) => {
                let _ = self.state.clone().with_name(name);
            }
            Statement::Uuid(uuid) => {
                let _ = self.state.clone().with_uuid(uuid);
            }
            Statement::Process { file } => {
                self.process = Some(files.take(file, &[Claim::Process], "process")?);
            }
            Statement::Vm { file } => {
                let file = files.take(file, &[Claim::Vm, Claim::Sealed], "vm")?;
                self.kvm
                    .set_vm_fd(file)
                    .map_err(|error| error.to_string())?;
                self.has_vm = true;
            }
            Statement::Vcpu { index, path, file } => {
                let file = files.take(file, &[Claim::Vcpu, Claim::Sealed], "vcpu")?;
                let index = u64::from(index);
                self.remove_vcpu(index);
                self.kvm
                    .add_vcpu_fd_at(index, path, file)
                    .map_err(|error| format!("vcpu {index}: {error}"))?;
                self.vcpus.insert(index, path.to_owned());
            }
            Statement::Object {
                provider,
                path,
                file,
            } => {
                let file = files.take(file, &[Claim::Sealed], "object")?;
                self.add_object(provider, path, file)?;
            }
            Statement::RemoveVm => {
                if !self.kvm.remove_vm() {
                    return Err("'remove vm': the VM has no statistics file".to_owned());
                }
                self.has_vm = false;
            }
            Statement::RemoveVcpu { index } => {
                if !self.remove_vcpu(u64::from(index)) {
                    return Err(format!("'remove vcpu {index}': there is no such vCPU"));
                }
            }
            Statement::RemoveObject { provider, path } => {
                let objects = self.objects.get(provider);
                if !objects.is_some_and(|objects| objects.remove(path)) {
                    return Err(format!(
                        "'remove object {provider} {path}': there is no such object"
                    ));
                }
                if self
                    .objects
                    .get(provider)
                    .is_some_and(ObjectFiles::is_empty)
                {
                    self.objects.remove(provider);
                    self.registry.remove(provider);
                }
            }
            _ => return Err("the host does not know a statement of this packet".to_owned()),
        }
        Ok(())
    }

    /// Removes a vCPU. Returns whether there was one.
    fn remove_vcpu(&mut self, index: u64) -> bool {
        let path = self.vcpus.remove(&index);
        path.is_some_and(|path| self.kvm.remove_vcpu(&path).is_some())
    }

    fn add_object(&mut self, provider: &str, path: &str, file: OwnedFd) -> Result<(), String> {
        let of = |error: &dyn std::fmt::Display| format!("object {provider} {path}: {error}");
        if let Some(objects) = self.objects.get(provider) {
            objects.remove(path);
            return objects.add(path, file).map_err(|error| of(&error));
        }
        if self.objects.len() == PROVIDERS_MAX {
            return Err(format!(
                "a VM may have {PROVIDERS_MAX} providers of its own"
            ));
        }
        let objects = self.kvm.object_files(provider.into());
        objects.add(path, file).map_err(|error| of(&error))?;
        // Hide these providers from queries without `provider`, because clients may know
        // only QEMU's, and skip a provider that fails, because a damaged file must not
        // spoil the other answers.
        let registration = Registration::new().only_when_named().skip_when_failing();
        self.registry
            .register_with(provider, objects.clone(), registration)
            .map_err(|error| of(&error))?;
        self.objects.insert(provider.to_owned(), objects);
        Ok(())
    }

    /// Calls `with` with the statements, and their files, from which `apply` makes an
    /// equal VM.
    pub(super) fn with_statements<T>(
        &self,
        process: Option<BorrowedFd<'_>>,
        with: impl FnOnce(&[(String, Option<BorrowedFd<'_>>)]) -> T,
    ) -> Result<T, String> {
        let files = self.kvm.files().map_err(|error| error.to_string())?;
        let duplicate = |(provider, objects): (_, &ObjectFiles)| {
            let files = objects
                .duplicate_files()
                .map_err(|error| error.to_string())?;
            Ok((provider, files))
        };
        let objects: Vec<_> = self
            .objects
            .iter()
            .map(duplicate)
            .collect::<Result<_, String>>()?;
        let mut statements = Vec::new();
        let name = self.state.name().map(|name| (format!("name {name}"), None));
        let uuid = self.state.uuid().map(|uuid| (format!("uuid {uuid}"), None));
        statements.extend(name.into_iter().chain(uuid));
        statements.extend(process.map(|process| ("process".to_owned(), Some(process))));
        statements.extend(files.vm().map(|vm| ("vm".to_owned(), Some(vm))));
        let indexes: BTreeMap<&str, u64> = self
            .vcpus
            .iter()
            .map(|(index, path)| (path.as_str(), *index))
            .collect();
        statements.extend(files.vcpus().filter_map(|(path, file)| {
            let index = indexes.get(path)?;
            Some((format!("vcpu {index} {path}"), Some(file)))
        }));
        for (provider, objects) in &objects {
            let objects = objects.iter();
            statements.extend(
                objects
                    .map(|(path, file)| (format!("object {provider} {path}"), Some(file.as_fd()))),
            );
        }
        Ok(with(&statements))
    }
}

/// The files of a packet, each of which one statement takes.
struct Files(Vec<Option<(Claim, OwnedFd)>>);

impl Files {
    /// Takes the file of a statement. `word` names the statement in errors.
    ///
    /// # Errors
    ///
    /// Returns an error if the file is of none of these kinds.
    fn take(&mut self, index: usize, kinds: &[Claim], word: &str) -> Result<OwnedFd, String> {
        let file = self.0.get_mut(index).and_then(Option::take);
        let (claim, file) = file.ok_or_else(|| format!("'{word}' has no file"))?;
        if kinds.contains(&claim) {
            return Ok(file);
        }
        Err(format!("the file of '{word}' is {}", claim.describe()))
    }
}
