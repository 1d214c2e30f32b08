//! The plan: every Rust item, with all names and types chosen.
//!
//! In: a `CheckedSchema` and `Options`. Out: a [`Plan`], which `emit/` only has
//! to write. This room makes all decisions, and quotes nothing but names, types
//! and attributes.

mod branches;
mod clashes;
mod commands;
mod feature_table;
mod features;
mod items;
mod outline;
mod planner;
mod types;

pub(crate) use clashes::{report_module_clashes, report_root_clashes};
pub(crate) use items::{
    AlternateBranchPlan, AlternatePlan, Arguments, BranchPlan, CommandPlan, EntityOutline,
    EnumPlan, EventPlan, FeaturePlan, FeaturesPlan, FieldPlan, Handler, Head, ModuleOutline,
    ModulePlan, Plan, StructPlan, TypePlan, UnionField, UnionPlan,
};
pub(crate) use planner::{Choices, Planner};
